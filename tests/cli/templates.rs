//! `templates learn`: each format of log, and the assignment of each request.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::sandbox::Sandbox;

/// Users with numbers, whose orders are asked for, and a probe.
fn requests() -> Vec<(String, u16)> {
    let mut all: Vec<_> =
        (0..40).flat_map(|n| [(format!("/users/{}", 1000 + n * 7), 200), ("/users".to_owned(), 200)]).collect();
    all.push(("/wp-login.php".to_owned(), 404));
    all
}

fn ours() -> String {
    requests().iter().fold(String::new(), |mut text, (path, status)| {
        writeln!(
            text,
            r#"{{"method":"GET","host":"a","path":"{path}","status":{status},"resp_content_type":"application/json"}}"#
        )
        .expect("written");
        text
    })
}

fn combined() -> String {
    requests().iter().fold(String::new(), |mut text, (path, status)| {
        writeln!(text, r#"10.0.0.1 - - [10/Oct/2025:13:55:36 +0000] "GET {path} HTTP/1.1" {status} 12 "-" "curl""#)
            .expect("written");
        text
    })
}

fn har() -> String {
    let entries: Vec<_> = requests()
        .iter()
        .map(|(path, status)| {
            format!(r#"{{"request":{{"method":"GET","url":"http://a{path}"}},"response":{{"status":{status}}}}}"#)
        })
        .collect();
    format!("{{\n  \"log\": {{\"entries\":[{}]}}}}", entries.join(","))
}

fn zeek() -> String {
    requests().iter().fold("#fields\tts\thost\tmethod\turi\tstatus_code\n".to_owned(), |mut text, (path, status)| {
        writeln!(text, "1.0\ta\tGET\t{path}\t{status}").expect("written");
        text
    })
}

fn eve() -> String {
    requests().iter().fold(String::new(), |mut text, (path, status)| {
        writeln!(
            text,
            r#"{{"timestamp":"2026-01-01T00:00:00.1+0000","event_type":"http","http":{{"hostname":"a","url":"{path}","http_method":"GET","status":{status}}}}}"#
        )
        .expect("written");
        text
    })
}

fn zeek_json() -> String {
    requests().iter().fold(String::new(), |mut text, (path, status)| {
        writeln!(text, r#"{{"ts":1.0,"host":"a","method":"GET","uri":"{path}","status_code":{status}}}"#)
            .expect("written");
        text
    })
}

fn zipped(text: &str) -> Vec<u8> {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(text.as_bytes()).expect("zipped");
    zipped.finish().expect("zipped")
}

#[test]
fn each_format_gives_the_same_templates() {
    let sandbox = Sandbox::new();
    for (name, content) in [
        ("ours", ours()),
        ("combined", combined()),
        ("har", har()),
        ("zeek", zeek()),
        ("zeek.json", zeek_json()),
        ("eve", eve()),
    ] {
        sandbox.file(name, &content);
        let packed = format!("{name}.gz");
        sandbox.file(&packed, zipped(&content));
        let piped = sandbox.pipe(&["templates", "learn", "-"], content.as_bytes());
        for ran in [sandbox.run(&["templates", "learn", name]), sandbox.run(&["templates", "learn", &packed]), piped] {
            let ran = ran.exits(0);
            assert_eq!(ran.out, "      40  GET     /users\n      40  GET     /users/{userId}\n", "{name}");
            assert_eq!(ran.err, "", "{name}");
        }
    }
}

#[test]
fn each_request_is_assigned_in_the_end() {
    let sandbox = Sandbox::new();
    let ran = sandbox.pipe(&["templates", "learn", "-", "--assign"], &zipped(&ours())).exits(0);
    let lines = ran.lines();
    assert_eq!(lines.len(), requests().len());
    assert_eq!(lines[0], serde_json::json!({ "i": 0, "template": "/users/{userId}" }));
    assert_eq!(lines[1], serde_json::json!({ "i": 1, "template": "/users" }));
    assert_eq!(lines[80], serde_json::json!({ "i": 80, "template": null }));
}

#[test]
fn what_is_no_request_is_counted() {
    let sandbox = Sandbox::new();
    sandbox.file("odd", "{\"method\":1}\nnonsense\n\n{\"event_type\":\"dns\"}\n");
    let ran = sandbox.run(&["templates", "learn", "odd"]).exits(0);
    assert_eq!(ran.err, "shadowtap: odd: 2 lines could not be read as requests\n");
    sandbox.run(&["templates", "learn", "nowhere"]).exits(1);
}

#[test]
fn a_code_below_which_all_stands_is_where_an_api_is_served() {
    let sandbox = Sandbox::new();
    let line = |path: &str| {
        format!(
            "{{\"method\":\"POST\",\"host\":\"a\",\"path\":\"{path}\",\"status\":200,\"resp_content_type\":\"application/json\"}}\n"
        )
    };
    let log = |codes: &[&str]| {
        let paths = codes.iter().flat_map(|code| ["getMe", "sendMessage", "close"].map(|m| format!("/{code}/{m}")));
        paths.map(|path| line(&path)).collect::<String>().repeat(9)
    };
    let code = "bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
    sandbox.file("one", log(&[code]));
    let ran = sandbox.run(&["templates", "learn", "one", "--assign"]).exits(0);
    assert_eq!(ran.lines()[1]["template"], format!("/{code}/sendMessage"));
    // Elsewhere no code is told: its text is not kept.
    let ran = sandbox.run(&["templates", "learn", "one"]).exits(0);
    assert!(!ran.out.contains("ABC") && ran.out.contains("}/sendMessage"), "{}", ran.out);
    // Two of them are values.
    sandbox.file("two", log(&[code, "bot987654:XYZ-DEF1234ghIkl-zyx57W2v1u123ew99"]));
    let ran = sandbox.run(&["templates", "learn", "two", "--assign"]).exits(0);
    assert!(ran.lines()[1]["template"].as_str().is_some_and(|t| t.starts_with("/{") && t.ends_with("}/sendMessage")));
}

#[test]
fn people_ask_why_and_settle_what_is_in_doubt() {
    let sandbox = Sandbox::new();
    sandbox.file("shop.pcap", crate::traffic::shop().pcap());
    sandbox.run(&["scan", "-r", "shop.pcap", "--out", "kept"]).exits(0);
    let listed = sandbox.run(&["inventory", "list", "--store", "kept", "--json"]).exits(0).json();
    let endpoint = &listed["services"][0]["endpoints"][0];
    let (method, template) = (endpoint["method"].as_str().unwrap(), endpoint["template"].as_str().unwrap());
    let path = template.replace('{', "1").replace('}', "");
    let ran = sandbox.run(&["templates", "explain", method, &path, "--store", "kept", "--json"]).exits(0).json();
    assert!(ran[0]["segments"].is_array(), "{ran}");
    sandbox.run(&["templates", "explain", method, &path, "--store", "kept"]).exits(0);
    let first = format!("/{}", template.split('/').nth(1).unwrap());
    sandbox.file("t.toml", "[[interface]]\nname = \"eth1\"\n[store]\nfolder = \"kept\"");
    sandbox.run(&["templates", "review", "--config", "t.toml"]).exits(0);
    let settle = ["templates", "review", "--config", "t.toml", "--path", &first, "--is", "ignored"];
    sandbox.run(&settle).exits(0);
    assert!(
        sandbox.read("t.toml").ends_with(&format!("[[rule]]\nhost = \"\"\npath = \"{first}\"\nis = \"ignored\"\n"))
    );
    let listed = sandbox.run(&["inventory", "list", "--config", "t.toml"]).exits(0);
    assert!(!listed.out.contains(&format!("{first}/")), "{}", listed.out);
    sandbox.run(&["templates", "review", "--config", "t.toml", "--path", "no-slash", "--is", "one"]).exits(2);
}

#[test]
fn an_inventory_is_made_where_only_logs_exist() {
    let sandbox = Sandbox::new();
    sandbox.file("eve.json.gz", zipped(&eve()));
    sandbox.file("more", "nonsense\n");
    let ran =
        sandbox.run(&["scan", "--log", "eve.json.gz", "--log", "more", "--out", "kept", "--json"]).exits(0).json();
    assert_eq!(ran["inventory"]["services"][0]["endpoints"].as_array().map(Vec::len), Some(2), "{ran}");
    assert!(ran["warnings"].to_string().contains("more: 1 lines could not be read"), "{ran}");
    let listed = sandbox.run(&["inventory", "list", "--store", "kept", "--json"]).exits(0).json();
    assert_eq!(listed["services"][0]["endpoints"][1]["template"], "/users/{userId}");
    sandbox.run(&["scan", "--log", "nowhere"]).exits(1);
    sandbox.run(&["scan"]).exits(2);
}
