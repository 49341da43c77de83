//! Assemblies that the host has in memory.

use std::fs;
use std::sync::{Arc, Mutex};

use soglia::host::{Answer, Error, HResult, Host, HostAssemblyStore, ProvidedAssembly};

use crate::stage::Stage;

const DOMAINS: &str = "Soglia.Hosted.Domains";

/// What was asked for, and what there is.
#[derive(Clone)]
struct Store {
    asked: Arc<Mutex<Vec<(String, u32)>>>,
    image: Arc<[u8]>,
}

impl HostAssemblyStore for Store {
    fn provide(&self, identity: &str, domain: u32) -> Answer<Option<ProvidedAssembly>> {
        let name = identity.split(',').next().unwrap_or_default();
        self.asked.lock().unwrap().push((name.into(), domain));
        match name {
            "hosted" => Ok(Some(ProvidedAssembly {
                id: 1,
                image: self.image.clone(),
                symbols: None,
            })),
            "odd" => Ok(Some(ProvidedAssembly {
                id: 2,
                image: Arc::from(&b"no assembly"[..]),
                symbols: None,
            })),
            "denied" => Err(HResult::ACCESS_DENIED),
            "broken" => panic!("on purpose"),
            _ => Ok(None),
        }
    }
}

fn started(stage: &Stage) -> (Host, Store) {
    let store = Store {
        asked: Arc::default(),
        image: fs::read(stage.fixture("hosted.dll")).unwrap().into(),
    };
    let host = stage.builder().assembly_store(store.clone());
    (host.start().unwrap(), store)
}

pub fn assemblies_come_from_memory(stage: &Stage) {
    let (host, store) = started(stage);
    let first = host.domain("first").create().unwrap();
    let second = host.domain("second").create().unwrap();
    for (domain, count) in [(&first, 1), (&first, 2), (&second, 1)] {
        let counted = domain.call("hosted", DOMAINS, "Count", "").unwrap();
        assert_eq!(counted, count);
    }
    let asked = store.asked.lock().unwrap().clone();
    let of_hosted: Vec<u32> = asked
        .iter()
        .filter(|(name, _)| name == "hosted")
        .map(|(_, domain)| *domain)
        .collect();
    assert_eq!(of_hosted, [2, 3]);
}

pub fn a_store_refuses(stage: &Stage) {
    let (host, _) = started(stage);
    let domain = host.domain("only").create().unwrap();
    for name in ["absent", "denied", "odd"] {
        let why = domain.call(name, DOMAINS, "Count", "").unwrap_err();
        assert!(!matches!(why, Error::ClrNotAvailable), "{name}: {why}");
    }
    assert_eq!(domain.call("hosted", DOMAINS, "Count", "").unwrap(), 1);
    domain.call("broken", DOMAINS, "Count", "").unwrap_err();
    let why = domain.call("hosted", DOMAINS, "Count", "").unwrap_err();
    assert!(matches!(why, Error::ClrNotAvailable), "{why}");
}
