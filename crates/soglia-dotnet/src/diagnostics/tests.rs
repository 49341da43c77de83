use std::thread;

use super::*;

/// A runtime that reads a command, writes this, and keeps the connection open until the client has
/// gone. Returns what `ask` made of it, and the command.
fn asked<T>(answer: Vec<u8>, closes: bool, ask: impl FnOnce(UnixStream) -> T) -> (T, Vec<u8>) {
    let (client, mut server) = UnixStream::pair().unwrap();
    let runtime = thread::spawn(move || {
        let mut head = [0; HEAD];
        server.read_exact(&mut head).unwrap();
        let size = usize::from(u16::from_le_bytes([head[14], head[15]]));
        let mut command = head.to_vec();
        command.resize(size, 0);
        server.read_exact(&mut command[HEAD..]).unwrap();
        server.write_all(&answer).unwrap();
        if !closes {
            let _ = server.read(&mut [0]);
        }
        command
    });
    let result = ask(client);
    (result, runtime.join().unwrap())
}

fn message(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = MAGIC.to_vec();
    message.extend_from_slice(&((HEAD + payload.len()) as u16).to_le_bytes());
    message.extend_from_slice(&[SERVER, number, 0, 0]);
    message.extend_from_slice(payload);
    message
}

fn texts(texts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![7, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(&[1; 16]);
    for text in texts {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        bytes.extend_from_slice(&(units.len() as u32).to_le_bytes());
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    bytes
}

#[test]
fn a_runtime_says_what_it_is() {
    let answer = texts(&["dotnet a.dll", "Linux", "x64", "Grüße", "9.0.7+abc"]);
    let (info, command) = asked(message(OK, &answer), false, process_info);
    let info = info.unwrap();
    assert_eq!((info.pid, info.major()), (7, Some(9)));
    assert_eq!(
        [&*info.os, &info.architecture, &info.assembly],
        ["Linux", "x64", "Grüße"]
    );
    assert_eq!(command, [&MAGIC[..], &[20, 0, 4, 4, 0, 0]].concat());
}

#[test]
fn a_profiler_is_named_as_the_runtime_reads_it() {
    let attach = |port| attach_profiler(port, [9; 16], Path::new("/ü.so"), b"soglia 1 weave");
    let (result, command) = asked(message(OK, &[0; 4]), false, attach);
    result.unwrap();
    let payload = &command[HEAD..];
    assert_eq!(command[16..20], [3, 1, 0, 0]);
    assert_eq!(payload[4..20], [9; 16]);
    // Units, with the zero at the end.
    assert_eq!(payload[20..24], [6, 0, 0, 0]);
    assert_eq!(payload[24..28], [b'/', 0, 0xfc, 0]);
    assert_eq!(
        payload[36..],
        [&[14, 0, 0, 0], &b"soglia 1 weave"[..]].concat()
    );
}

#[test]
fn a_refusal_has_the_name_of_its_code() {
    let attach = |port| attach_profiler(port, [0; 16], Path::new("/e"), b"");
    let code = 0x8013_136A_u32.to_le_bytes();
    for answer in [message(0xff, &code), message(OK, &code)] {
        let (result, _) = asked(answer, false, attach);
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains("CORPROF_E_PROFILER_ALREADY_ACTIVE (0x8013136a)"),
            "{text}"
        );
    }
}

#[test]
fn answers_that_are_none_are_refused() {
    let long = texts(&["a", "b"]);
    let mut beyond = texts(&["a"]);
    beyond[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut foreign = message(OK, &[]);
    foreign[0] = b'X';
    let mut small = message(OK, &[]);
    small[14..16].copy_from_slice(&[3, 0]);
    let mut not_an_answer = message(OK, &[0; 4]);
    not_an_answer[16] = 4;
    let mut early = message(OK, &[0; 200]);
    early.truncate(40);
    for (answer, why) in [
        (message(OK, &long), "too short"),
        (message(OK, &beyond), "longer than it is"),
        (message(0xff, &[1]), "too short"),
        (foreign, "not of the diagnostics protocol"),
        (small, "impossible size"),
        (not_an_answer, "not an answer"),
        (early, "ended early"),
        (Vec::new(), "ended early"),
    ] {
        let (result, _) = asked(answer, true, process_info);
        let text = result.unwrap_err().to_string();
        assert!(text.contains(why), "{text} instead of {why}");
    }
}

#[test]
fn a_runtime_that_is_silent_is_not_waited_for() {
    let (client, server) = UnixStream::pair().unwrap();
    let short = Duration::from_millis(20);
    let error = ask(client, PROCESS_INFO, &[], short).unwrap_err();
    assert_eq!(error.to_string(), "it did not answer within 20ms");
    drop(server);
}
