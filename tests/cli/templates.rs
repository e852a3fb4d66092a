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

#[test]
fn each_format_gives_the_same_templates() {
    let sandbox = Sandbox::new();
    for (name, content) in [("ours", ours()), ("combined", combined()), ("har", har()), ("zeek", zeek())] {
        sandbox.file(name, &content);
        let ran = sandbox.run(&["templates", "learn", name]).exits(0);
        assert_eq!(ran.out, "      40  GET     /users\n      40  GET     /users/{userId}\n", "{name}");
        assert_eq!(ran.err, "", "{name}");
    }
}

#[test]
fn each_request_is_assigned_in_the_end() {
    let sandbox = Sandbox::new();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(ours().as_bytes()).expect("zipped");
    let ran = sandbox.pipe(&["templates", "learn", "-", "--assign"], &zipped.finish().expect("zipped")).exits(0);
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
