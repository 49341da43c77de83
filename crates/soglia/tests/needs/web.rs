//! Services on ASP.NET, whose shared framework is not in every .NET root.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use soglia_testing::needs::{Outcome, Unmet};

use crate::support::receiver::Receiver;
use crate::support::scrape;
use crate::support::{Served, Setup, Space, bare_command, setup, text};

/// Copies files of the fixtures, and writes a runtime configuration of that name which has ASP.NET.
fn with_asp_net(space: &Space, files: &[&str], program: &str) -> Outcome {
    let framework = "Microsoft.AspNetCore.App";
    let Setup {
        root,
        major,
        fixtures,
    } = setup();
    let installed = std::fs::read_dir(root.path.join("shared").join(framework));
    let versions = installed.into_iter().flatten().flatten();
    let names = versions.map(|version| version.file_name().to_string_lossy().into_owned());
    let fits = |name: &String| name.split('.').next() == Some(&*major.to_string());
    let Some(version) = names.into_iter().find(fits) else {
        return Err(Unmet::new(format!(
            "the .NET root has no {framework} {major}"
        )));
    };
    for file in files {
        std::fs::copy(fixtures.join(file), space.path(file)).unwrap();
    }
    let config = serde_json::json!({ "runtimeOptions": {
        "tfm": format!("net{major}.0"),
        "framework": { "name": framework, "version": version },
    }});
    let path = space.path(&format!("{program}.runtimeconfig.json"));
    std::fs::write(path, config.to_string()).unwrap();
    Ok(())
}

/// ASP.NET compiles a method for each handler of a minimal API, at run time.
pub fn handlers_are_called_by_what_was_made_for_them() -> Outcome {
    for source in ["transitions", "woven"] {
        let space = Space::new();
        with_asp_net(&space, &["callers.dll", "libsemantics.so"], "callers")?;
        let options = format!("run -q --source {source} -o a.soglia callers.dll minimal-api");
        let output = space.soglia(&options).output().unwrap();
        assert_eq!(
            text(&output.stdout),
            "minimal-api: 1\n",
            "{}",
            text(&output.stderr)
        );
        let report = space.recording("a.soglia").report();
        let mut rows = report.targets.iter();
        let row = rows
            .find(|row| row.entry.as_deref() == Some("plain"))
            .unwrap();
        let [handler, answer, made, ..] = &row.first_caller[..] else {
            panic!("{:?}", row.first_caller)
        };
        assert_eq!(handler, "Soglia.Callers.Plain.Handler");
        assert!(answer.contains("<MinimalApi>g__Answer|"), "{answer}");
        assert!(
            made.starts_with("[made at run time: lambda_method"),
            "{made}"
        );
    }
    Ok(())
}

/// Reads one answer of HTTP/1.1, and returns its body.
fn answer(from: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let wrong = |line: &str| Err(std::io::Error::other(format!("the server said {line:?}")));
    let mut line = String::new();
    let mut next = |from: &mut BufReader<TcpStream>| -> std::io::Result<String> {
        line.clear();
        from.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let status = next(from)?;
    if status != "HTTP/1.1 200 OK" {
        return wrong(&status);
    }
    let mut chunked = false;
    loop {
        let header = next(from)?;
        if header.is_empty() {
            break;
        }
        chunked |= header.eq_ignore_ascii_case("Transfer-Encoding: chunked");
    }
    if !chunked {
        return wrong("no chunks");
    }
    let mut body = Vec::new();
    loop {
        let length = next(from)?;
        let Ok(length) = usize::from_str_radix(&length, 16) else {
            return wrong(&length);
        };
        let begin = body.len();
        body.resize(begin + length, 0);
        from.read_exact(&mut body[begin..])?;
        next(from)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// A client that asks again and again on one connection. Returns how often.
fn client(address: &str, stop: &AtomicBool, slowest: &AtomicU64) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut from = BufReader::new(stream.try_clone()?);
    let mut asked = 0;
    while !stop.load(Relaxed) {
        let big = asked % 5 == 0;
        let path = if big { "/big" } else { "/" };
        let began = Instant::now();
        // In one piece: the kernel would wait before it sends a second one.
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let body = answer(&mut from)?;
        let took = u64::try_from(began.elapsed().as_micros()).unwrap();
        slowest.fetch_max(took, Relaxed);
        let right = match big {
            true => body.len() == 50_000,
            false => body.starts_with(b"hello "),
        };
        if !right {
            return Err(std::io::Error::other(text(&body)));
        }
        asked += 1;
    }
    Ok(asked)
}

/// Asks for this path so many times on one connection. Returns the answers.
fn ask(address: &str, path: &str, times: u32) -> std::io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut from = BufReader::new(stream.try_clone()?);
    let asked = (0..times).map(|_| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        answer(&mut from).map(|body| text(&body))
    });
    asked.collect()
}

/// The slow calls of many requests at a time.
pub fn slow_calls_are_spans_under_those_of_their_requests() -> Outcome {
    let (space, receiver) = (Space::new(), Receiver::new());
    with_asp_net(&space, &["served.dll", "libserved.so"], "served")?;
    let options = format!(
        "run -q -o a.soglia --slow 20ms --metrics 0 --otlp {} served.dll regular",
        receiver.url()
    );
    let mut served = Served::start_command(&space, &mut space.soglia(&options));
    let line = served.error_line();
    let metrics = line.split_once("http://").unwrap().1;
    let metrics = metrics.strip_suffix("/metrics").unwrap().parse().unwrap();
    let address = served.ask("web");
    let address = address.strip_prefix("web http://").unwrap();
    let answers: Vec<String> = std::thread::scope(|scope| {
        let clients = [(); 4].map(|()| scope.spawn(|| ask(address, "/slow", 25)));
        let answers = clients.map(|client| client.join().unwrap().unwrap());
        answers.concat()
    });
    served.stop();
    let scraped = scrape::get(metrics, "/metrics", "");
    let report = space.recording("a.soglia").json("");
    served.go();
    served.end();

    let id = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let spans = receiver.spans();
    let mut found: Vec<String> = spans
        .iter()
        .map(|span| format!("{} {}", id(&span.trace_id), id(&span.parent_span_id)))
        .collect();
    let mut expected = answers;
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert!(spans.iter().all(|span| span.name.ends_with("!slow")));
    let row = report["targets"].as_array().unwrap().iter();
    let row = row.clone().find(|row| row["entry"] == "slow").unwrap();
    assert_eq!(row["calls"], 100);
    let line = "soglia_native_calls_total{target=\"served!slow\"";
    let line = scraped.body.lines().find(|of| of.starts_with(line));
    assert!(line.unwrap().ends_with(" 100"), "{line:?}");
    Ok(())
}

/// A server under load is attached, with all of the framework, and let go again.
pub fn no_request_fails_while_a_server_is_attached() -> Outcome {
    let space = Space::new();
    let files = ["served.dll", "libserved.so"];
    with_asp_net(&space, &files, "served")?;
    let (file, before) = bare_command();
    let mut command = space.command(file);
    command
        .args(before)
        .arg(Path::new("served.dll"))
        .arg("slow");
    let mut served = Served::start_command(&space, command.current_dir(space.path("")));
    let answer = served.ask("web");
    let address = answer.strip_prefix("web http://").unwrap().to_owned();
    let (stop, slowest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let clients = [(); 4].map(|()| scope.spawn(|| client(&address, &stop, &slowest)));
        let phase = |name: &str| {
            std::thread::sleep(Duration::from_millis(1000));
            println!("{name}: slowest {} us", slowest.swap(0, Relaxed));
        };
        phase("start");
        phase("without attach");
        for round in 0..3 {
            let attached = served.attach("a.soglia", "-q --corelib");
            phase(&format!("attach {round}"));
            attached.let_go();
            phase(&format!("let go {round}"));
            std::fs::remove_file(space.path("a.soglia")).unwrap();
        }
        stop.store(true, Relaxed);
        for client in clients {
            let asked = client.join().unwrap().unwrap();
            println!("{asked} requests");
            assert!(asked > 0);
        }
    });
    served.end();
    Ok(())
}
