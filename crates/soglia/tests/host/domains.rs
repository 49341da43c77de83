//! Domains.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use soglia::host::{Error, HResult, Host};

use crate::stage::Stage;

const DOMAINS: &str = "Soglia.Hosted.Domains";
const ENTRY: &str = "Soglia.Hosted.Entry";

fn started(stage: &Stage) -> Host {
    stage.builder().start().unwrap()
}

pub fn domains_have_their_own(stage: &Stage) {
    let host = started(stage);
    let file = stage.fixture("hosted.dll");
    let first = host.domain("first").create().unwrap();
    let second = host.domain("second").folder(&stage.fixtures);
    let second = second.folder("/absent").create().unwrap();
    assert_eq!((first.id(), second.id()), (2, 3));
    let count = |of: &dyn Fn() -> Result<i32, Error>| [of().unwrap(), of().unwrap()];
    assert_eq!(count(&|| host.call(&file, DOMAINS, "Count", "")), [1, 2]);
    assert_eq!(count(&|| first.call(&file, DOMAINS, "Count", "")), [1, 2]);
    // By its name, in the folder.
    assert_eq!(
        count(&|| second.call("hosted", DOMAINS, "Count", "")),
        [1, 2]
    );
    // SAFETY: [UnmanagedCallersOnly] static int CountFromNative()
    let next: extern "C" fn() -> i32 =
        unsafe { first.function(&file, DOMAINS, "CountFromNative").unwrap() };
    assert_eq!(thread::spawn(move || next()).join().unwrap(), 3);
    assert_eq!(first.run(&file, ["a", "b"]).unwrap(), 102);
    assert_eq!(host.current_domain(), Some(1));
    let nested = first.enter(|| {
        (
            host.current_domain(),
            second.enter(|| host.current_domain()),
        )
    });
    let (outer, inner) = nested.unwrap();
    assert_eq!((outer, inner.unwrap()), (Some(2), Some(3)));
    assert_eq!(host.current_domain(), Some(1));
    // A panic goes on where it came from.
    let panics = || first.enter(|| panic!("on purpose"));
    let panicked: Result<Result<(), _>, _> = catch_unwind(AssertUnwindSafe(panics));
    let message = panicked.unwrap_err();
    assert_eq!(message.downcast_ref(), Some(&"on purpose"));
    assert_eq!(host.current_domain(), Some(1));
    assert_eq!(format!("{first:?}"), "Domain { id: 2 }");
}

pub fn domains_are_unloaded(stage: &Stage) {
    let host = started(stage);
    let file = stage.fixture("hosted.dll");
    let domain = host.domain("going").create().unwrap();
    // SAFETY: [UnmanagedCallersOnly] static int CountFromNative()
    let count: extern "C" fn() -> i32 =
        unsafe { domain.function(&file, DOMAINS, "CountFromNative").unwrap() };
    assert_eq!(count(), 1);
    let inside = domain.enter(|| domain.unload()).unwrap();
    assert!(matches!(inside, Err(Error::InsideDomain(2))));
    domain.unload().unwrap();
    assert_eq!(count(), 0);
    let gone = [
        domain.unload().err(),
        domain.call(&file, DOMAINS, "Count", "").err(),
        domain.run(&file, ["a"]).err(),
        domain.enter(|| ()).err(),
    ];
    for why in gone {
        assert!(matches!(why, Some(Error::DomainUnloaded(2))), "{why:?}");
    }
    // SAFETY: [UnmanagedCallersOnly] static int CountFromNative()
    let again =
        unsafe { domain.function::<extern "C" fn() -> i32>(&file, DOMAINS, "CountFromNative") };
    assert!(matches!(again, Err(Error::DomainUnloaded(2))));
    // Dropping it unloads it, too.
    let loaded = || host.call(&file, DOMAINS, "Loaded", "hosted").unwrap();
    let dropped = host.domain("dropped").create().unwrap();
    assert_eq!(dropped.call(&file, DOMAINS, "Count", "").unwrap(), 1);
    assert_eq!(loaded(), 2);
    drop(dropped);
    while loaded() != 1 {
        thread::yield_now();
    }
}

pub fn what_a_domain_lacks_is_told(stage: &Stage) {
    let host = started(stage);
    let file = stage.fixture("hosted.dll");
    let manager = |name: &str| {
        let builder = host.domain("managed").property("OTHER", "property");
        builder
            .manager(&file, &format!("Soglia.Hosted.{name}"))
            .create()
    };
    let domain = manager("Manager").unwrap();
    assert_eq!(host.call(&file, ENTRY, "Property", "manager").unwrap(), 7);
    assert!(matches!(manager("Absent"), Err(Error::TypeMissing { .. })));
    assert!(matches!(
        manager("DemandingManager"),
        Err(Error::MethodMissing { .. })
    ));
    let failing = manager("FailingManager").unwrap_err();
    assert_eq!(failing.code(), Some(HResult::NOT_SUPPORTED));
    assert!(failing.to_string().contains("FailingManager"), "{failing}");

    let call = |class: &str, method: &str| domain.call(&file, class, method, "why");
    assert!(matches!(
        call("Absent", "Count"),
        Err(Error::TypeMissing { .. })
    ));
    assert!(matches!(
        call(ENTRY, "Absent"),
        Err(Error::MethodMissing { .. })
    ));
    let thrown = call(ENTRY, "Throw").unwrap_err();
    assert!(matches!(thrown, Error::Exception { .. }), "{thrown}");
    let absent = domain.call("absent", ENTRY, "Length", "");
    assert!(matches!(absent, Err(Error::AssemblyNotFound(path)) if path.as_os_str() == "absent"));
    assert!(matches!(host.domain("a\0").create(), Err(Error::ZeroByte)));
}
