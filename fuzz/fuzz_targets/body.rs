//! Method bodies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia_abi::ids::MdToken;
use soglia_il::{
    body::{
        Instructions, Use, calls_by_pointer, code_calls_by_pointer,
        inserted::{Put, around_returns},
        leads_on, plain,
        prefix::{call_behind, calls_unprotected, index_of, with_prefix},
        uses, whole,
    },
    leads,
};

const METHOD: MdToken = MdToken(0x0600_0042);

fuzz_target!(|body: &[u8]| {
    // Instructions put together are the code that they were read from.
    let (mut emitted, mut at) = (Vec::<u8>::new(), 0);
    for instruction in Instructions::new(body).map_while(|instruction| instruction) {
        assert_eq!(instruction.at(), at);
        at = instruction.end();
        emitted.extend(instruction.bytes());
    }
    assert_eq!(emitted, body[..at]);
    let _ = (code_calls_by_pointer(body), leads_on(body));
    let _ = (index_of(body, METHOD), call_behind(body, &[0x02]));
    let _ = calls_unprotected(body, 0, None);

    if let Some(found) = uses(body) {
        // Each is there once, and nothing but tokens changes.
        let mut patched = body.to_vec();
        for each in &found {
            assert!(each.patch(&mut patched, METHOD));
            assert_eq!(each.patch(&mut patched, METHOD), each.method == METHOD);
        }
        let again = uses(&patched).expect("it can still be read");
        let places = |of: &[Use]| of.iter().map(Use::at).collect::<Vec<_>>();
        assert_eq!(places(&again), places(&found));
        assert!(again.iter().all(|each| each.method == METHOD));
    }
    if let Some(sites) = calls_by_pointer(body) {
        let mut patched = body.to_vec();
        let calls = sites
            .iter()
            .filter(|site| site.patch(&mut patched, METHOD))
            .count();
        let left = calls_by_pointer(&patched).expect("it can still be read");
        assert_eq!(left.len(), sites.len() - calls);
        let leads = |body: &[u8]| leads::of_body(body).map(|leads| leads.len());
        assert_eq!(leads(&patched), leads(body));
    }
    if let Some(taken) = plain(body) {
        let whole = whole(body).expect("nothing is protected");
        assert_eq!(
            (taken.code.len() + 1, taken.stack),
            (whole.code.len(), whole.stack)
        );
        let _ = taken.calls(METHOD);
    }
    // An empty prefix changes no more than how clauses are written.
    if let Some(same) = with_prefix(body, 0, &[], 0) {
        assert_eq!(with_prefix(&same, 0, &[], 0), Some(same.clone()));
        assert_eq!(leads::of_body(&same), leads::of_body(body));
        assert_eq!(
            calls_unprotected(&same, 0, None),
            calls_unprotected(body, 0, None)
        );
        let nops = [0; 7];
        if let Some(moved) = with_prefix(body, 0, &nops, 3) {
            assert_eq!(
                with_prefix(&moved, nops.len(), &[], 0).map(|back| back.len()),
                Some(same.len())
            );
            assert_eq!(leads::of_body(&moved), leads::of_body(body));
        }
    }
    // Putting nothing in changes no more than forms, and the map leads back.
    let nothing = Put {
        enter: &[],
        leave: &[],
        stack: 0,
        locals: None,
    };
    if let Some(same) = around_returns(body, &nothing) {
        let again = around_returns(&same.body, &nothing).expect("it can still be read");
        assert_eq!(again.body, same.body);
        assert_eq!(
            calls_by_pointer(&same.body).map(|sites| sites.len()),
            calls_by_pointer(body).map(|sites| sites.len())
        );
        let put = Put {
            enter: &[0; 3],
            leave: &[0; 5],
            stack: 2,
            ..nothing
        };
        if let Some(made) = around_returns(body, &put) {
            for before in 0..512 {
                if let Some(now) = made.moved.now(before) {
                    assert_eq!(made.moved.before(now), before);
                }
            }
        }
    }
});
