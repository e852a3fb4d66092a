//! What bodies name tells values from literals, and what only looks like it does not.
//!
//! Each case is a log as `shadowtap templates learn` reads it, with the templates that an owner of the API would sign. Literals must
//! survive whatever an API says of itself, echoes or calls its users.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// One exchange.
fn said(method: &str, path: &str, status: u16, body: Value) -> Value {
    json!({"method": method, "path": path, "host": "api.test", "status": status, "resp_content_type": "application/json", "resp_body": body})
}

fn get(path: &str, body: Value) -> Value {
    said("GET", path, 200, body)
}

fn run(log: &[Value], more: &[&str]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_shadowtap"))
        .args(["templates", "learn", "-"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("shadowtap starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    for line in log {
        writeln!(stdin, "{line}").expect("it reads");
    }
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// The templates without the names of their parameters.
fn templates(log: &[Value], more: &[&str]) -> BTreeSet<String> {
    let shape = |template: &str| {
        let parts = template.split('{').enumerate();
        parts
            .map(|(n, part)| if n == 0 { part } else { part.split_once('}').map_or("", |p| p.1) })
            .collect::<Vec<_>>()
            .join("{}")
    };
    run(log, more).lines().filter_map(|line| line.split_whitespace().nth(2)).map(shape).collect()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|t| (*t).to_owned()).collect()
}

/// Bare words of two owners, walked as listed.
fn owners() -> Vec<Value> {
    let repos = [
        ("packit", "ogr"),
        ("packit", "dashboard"),
        ("packit", "research"),
        ("mirrors", "linux"),
        ("mirrors", "settings"),
    ];
    let repo = |o: &str, r: &str| json!({"id": 7, "name": r, "full_name": format!("{o}/{r}"), "owner": {"login": o}, "type": "repository"});
    let list: Vec<_> = repos.iter().map(|(o, r)| repo(o, r)).collect();
    let mut log = vec![get("/repos/search", json!({"data": list})), get("/repos/search", json!({"data": list}))];
    for _ in 0..3 {
        for (o, r) in repos {
            log.push(get(&format!("/repos/{o}/{r}"), repo(o, r)));
            log.push(get(&format!("/repos/{o}/{r}/issues"), json!([{"number": 1, "user": {"login": "ada"}}])));
        }
        log.push(get("/repos/packit/ogr/labels", json!([{"name": "bug"}])));
        log.push(get("/repos/packit/ogr/topics", json!({"topics": ["forge"]})));
    }
    log
}

const OWNERS: [&str; 5] =
    ["/repos/search", "/repos/{}/{}", "/repos/{}/{}/issues", "/repos/{}/{}/labels", "/repos/{}/{}/topics"];

#[test]
fn hard_case_2_owners_that_look_like_resources_are_known_from_bodies() {
    assert_eq!(templates(&owners(), &[]), set(&OWNERS));
    let named = run(&owners(), &[]);
    assert!(named.contains("/repos/{owner}/"), "{named}");
    assert_ne!(templates(&owners(), &["--no-bodies"]), set(&OWNERS), "paths alone do not tell");
}

#[test]
fn hard_case_13_provenance_does_not_depend_on_order() {
    let mut log = owners();
    let first = run(&log, &[]);
    log.reverse();
    assert_eq!(run(&log, &[]), first);
    log.rotate_left(7);
    assert_eq!(run(&log, &[]), first);
}

#[test]
fn har_and_json_lines_tell_the_same() {
    let entries: Vec<_> = owners()
        .iter()
        .map(|l| {
            json!({"request": {"method": l["method"], "url": format!("http://api.test{}", l["path"].as_str().unwrap()), "headers": []},
                "response": {"status": l["status"], "headers": [],
                    "content": {"mimeType": "application/json", "text": l["resp_body"].to_string()}}})
        })
        .collect();
    assert_eq!(run(&[json!({"log": {"entries": entries}})], &[]), run(&owners(), &[]));
}

#[test]
fn what_a_location_and_a_request_name_are_values() {
    let mut log = Vec::new();
    for name in ["platform", "archive", "research"] {
        let mut made = said("POST", "/teams", 201, json!({}));
        made["resp_headers"] = json!({"Location": format!("/teams/{name}")});
        made["req_content_type"] = json!("application/json");
        made["req_body"] = json!({"slug": name});
        log.push(made);
        for _ in 0..3 {
            log.push(get(&format!("/teams/{name}"), json!({})));
            log.push(get(
                &format!("/teams/{name}/{}", if name == "archive" { "members" } else { "owners" }),
                json!({}),
            ));
        }
    }
    assert_eq!(templates(&log, &[]), set(&["/teams", "/teams/{}", "/teams/{}/members", "/teams/{}/owners"]));
}

/// An API of four resources, each with its own sub-resources, and what it says of itself at its root.
fn resources(root: Value) -> Vec<Value> {
    let mut log = vec![get("/api", root.clone()), get("/api", root)];
    for (word, below) in [("users", "friends"), ("orders", "items"), ("products", "reviews"), ("teams", "members")] {
        for n in 1..5 {
            log.push(get(&format!("/api/{word}"), json!([{"id": n}])));
            log.push(get(&format!("/api/{word}/{n}"), json!({"id": n})));
            log.push(get(&format!("/api/{word}/{n}/{below}"), json!([])));
        }
    }
    log
}

fn literals_survive(root: Value) {
    let with = run(&resources(root.clone()), &[]);
    assert_eq!(with, run(&resources(root), &["--no-bodies"]));
    assert!(with.contains("/api/users/{") && with.contains("/api/orders/{"), "{with}");
}

#[test]
fn hard_case_3_an_api_root_that_lists_its_resources() {
    literals_survive(
        json!({"users_url": "http://api.test/api/users{/user}", "orders_url": "http://api.test/api/orders"}),
    );
    literals_survive(
        json!({"resources": [{"name": "users"}, {"name": "orders"}, {"name": "products"}, {"name": "teams"}]}),
    );
    literals_survive(json!([{"name": "users", "url": "/api/users"}, {"name": "orders", "url": "/api/orders"},
        {"name": "products", "url": "/api/products"}, {"name": "teams", "url": "/api/teams"}]));
    literals_survive(
        json!({"_links": {"users": {"href": "/api/users", "name": "users"}, "orders": {"href": "/api/orders"}}}),
    );
}

#[test]
fn documents_that_an_api_serves_of_itself() {
    literals_survive(
        json!({"openapi": "3.0.0", "tags": [{"name": "users"}, {"name": "orders"}, {"name": "products"}, {"name": "teams"}]}),
    );
    literals_survive(json!({"kind": "discovery#restDescription", "name": "users", "id": "orders"}));
    literals_survive(
        json!({"data": {"__schema": {"types": [{"name": "users"}, {"name": "orders"}, {"name": "teams"}]}}}),
    );
}

#[test]
fn types_of_resources_are_no_values() {
    literals_survive(
        json!([{"type": "users", "id": "1"}, {"type": "orders", "id": "2"}, {"type": "products"}, {"type": "teams"}]),
    );
    literals_survive(json!([{"resource": "users"}, {"resource": "orders"}, {"kind": "products"}, {"object": "teams"}]));
}

#[test]
fn names_for_people_that_happen_to_be_resources() {
    // A menu, permissions, and a user who is called like one of the resources.
    literals_survive(json!({"menu": [{"name": "users"}, {"name": "orders"}, {"name": "products"}, {"name": "teams"}]}));
    literals_survive(
        json!({"permissions": [{"name": "users"}, {"name": "orders"}, {"name": "teams"}, {"name": "products"}]}),
    );
    literals_survive(json!([{"login": "users"}, {"login": "jane"}, {"login": "bob"}]));
}

#[test]
fn kubernetes_lists_of_resources_do_not_make_pods_a_value() {
    let list = json!({"kind": "APIResourceList", "groupVersion": "v1",
        "resources": [{"name": "pods", "kind": "Pod"}, {"name": "services", "kind": "Service"}, {"name": "secrets", "kind": "Secret"}]});
    let mut log =
        vec![get("/api/v1", list.clone()), get("/apis", json!({"kind": "APIGroupList", "groups": [{"name": "apps"}]}))];
    for namespace in ["default", "monitoring", "production"] {
        for (resource, names) in
            [("pods", ["web-7d9f", "db-0"]), ("services", ["web", "db"]), ("secrets", ["tls", "token"])]
        {
            let items: Vec<_> =
                names.iter().map(|n| json!({"metadata": {"name": n, "namespace": namespace}})).collect();
            for _ in 0..3 {
                log.push(get(
                    &format!("/api/v1/namespaces/{namespace}/{resource}"),
                    json!({"kind": "List", "items": items}),
                ));
                for name in names {
                    let item = json!({"metadata": {"name": name, "namespace": namespace}});
                    log.push(get(&format!("/api/v1/namespaces/{namespace}/{resource}/{name}"), item));
                }
            }
        }
    }
    let found = templates(&log, &[]);
    for resource in ["pods", "services", "secrets"] {
        assert!(found.contains(&format!("/api/v1/namespaces/{{}}/{resource}")), "{found:?}");
        assert!(found.contains(&format!("/api/v1/namespaces/{{}}/{resource}/{{}}")), "{found:?}");
    }
}

#[test]
fn a_server_that_echoes_what_it_is_asked_proves_nothing() {
    let mut log = Vec::new();
    for word in ["headers", "cookies", "uuid", "delay", "anything"] {
        for _ in 0..4 {
            let path = format!("/{word}");
            log.push(get(
                &path,
                json!({"url": format!("http://api.test{path}"), "path": path, "name": word, "id": word}),
            ));
        }
    }
    assert_eq!(run(&log, &[]), run(&log, &["--no-bodies"]));
}

#[test]
fn errors_that_name_the_path_prove_nothing() {
    let mut log = resources(json!({}));
    for word in ["users", "orders", "products", "teams"] {
        let error = json!({"message": format!("not found: {word}"), "path": format!("/api/{word}"), "name": word, "id": word, "slug": word});
        for _ in 0..3 {
            log.push(said("GET", &format!("/api/nothing/{word}"), 404, error.clone()));
        }
    }
    assert_eq!(run(&log, &[]), run(&log, &["--no-bodies"]));
}

#[test]
fn metrics_by_endpoint_prove_nothing() {
    literals_survive(
        json!({"metrics": [{"name": "users", "count": 3}, {"name": "orders"}, {"name": "products"}, {"name": "teams"}],
        "endpoints": [{"id": "users"}, {"id": "orders"}, {"id": "teams"}, {"id": "products"}]}),
    );
}

#[test]
fn hard_case_1_me_stays_beside_logins() {
    let users: Vec<_> = ["ada", "grace", "edsger", "barbara"].iter().map(|u| json!({"login": u})).collect();
    let mut log = vec![get("/users", json!(users)), get("/users", json!(users))];
    for user in ["ada", "grace", "edsger", "barbara", "me"] {
        for _ in 0..4 {
            log.push(get(&format!("/users/{user}"), json!({"login": if user == "me" { "ada" } else { user }})));
        }
    }
    log.push(get("/users/settings", json!({"theme": "dark"})));
    assert_eq!(templates(&log, &[]), set(&["/users", "/users/me", "/users/settings", "/users/{}"]));
}

#[test]
fn bodies_that_are_made_to_hurt_change_nothing() {
    let mut log = resources(json!({}));
    let before = run(&log, &["--no-bodies"]);
    let many: Vec<_> =
        (0..20_000u32).map(|n| json!({"login": format!("u{}x", n.wrapping_mul(2_654_435_761))})).collect();
    for body in
        [json!(many), json!("[".repeat(5000)), json!({"login": "x".repeat(100_000)}), json!([[[[{"login": null}]]]])]
    {
        log.push(get("/api/users", body));
    }
    assert_eq!(run(&log, &[]).lines().count(), before.lines().count());
}

/// A folder that is gone when the test is over.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("shadowtap-provenance-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn shadowtap(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_shadowtap")).args(args).output().expect("shadowtap starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn log_file(folder: &std::path::Path, name: &str, log: &[Value]) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(&path, log.iter().map(|l| format!("{l}\n")).collect::<String>()).expect("written");
    path.to_string_lossy().into_owned()
}

#[test]
fn what_one_run_was_told_another_knows() {
    let dir = folder("restart");
    let store = dir.join("store").to_string_lossy().into_owned();
    let (lists, mut walks): (Vec<_>, Vec<_>) = owners().into_iter().partition(|l| l["path"] == "/repos/search");
    walks.iter_mut().for_each(|l| l["resp_body"] = Value::Null);
    for (name, log) in [("a.jsonl", &lists), ("b.jsonl", &walks)] {
        let file = log_file(&dir, name, log);
        shadowtap(&["scan", "--log", &file, "--out", &store]);
    }
    let shown = shadowtap(&["inventory", "list", "--full", "--store", &store]);
    for template in ["/repos/search", "/repos/{owner}/{repo}", "/repos/{owner}/{repo}/issues"] {
        assert!(shown.contains(template), "{template}\n{shown}");
    }
    let why = shadowtap(&["templates", "explain", "GET", "http://api.test/repos/packit/ogr", "--store", &store]);
    assert!(why.contains("words of this place occur as owner.login in bodies"), "{why}");
    let review = shadowtap(&["templates", "review", "--store", &store]);
    assert!(review.contains("in bodies"), "{review}");
    std::fs::remove_dir_all(&dir).expect("gone");
}

#[test]
fn values_of_bodies_are_found_nowhere() {
    let dir = folder("canary");
    let store = dir.join("store").to_string_lossy().into_owned();
    const CANARIES: [&str; 6] =
        ["zanzibarowl", "quokkaqueen", "secrettenant", "hiddenkeyname", "velvetnarwhal", "eyJhbGciOiJub25lIn0"];
    let mut log = owners();
    for n in 0..20 {
        let mut line = get(
            &format!("/people/{n}"),
            json!({"login": CANARIES[0], "owner": {"name": CANARIES[1]}, "votes": {CANARIES[3]: "yes"}, CANARIES[3]: {"slug": CANARIES[4]}}),
        );
        // {"sub":"secrettenant"}
        line["req_headers"] = json!({"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZWNyZXR0ZW5hbnQifQ.x"});
        log.push(line);
    }
    let file = log_file(&dir, "a.jsonl", &log);
    let mut seen = shadowtap(&["scan", "--log", &file, "--out", &store, "--json"]);
    seen += &shadowtap(&["inventory", "list", "--full", "--store", &store]);
    seen += &shadowtap(&["templates", "review", "--store", &store]);
    let mut bytes = seen.into_bytes();
    let mut folders = vec![std::path::PathBuf::from(&store)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { bytes.extend(std::fs::read(path).unwrap_or_default()) }
        }
    }
    for canary in CANARIES {
        let found = bytes.windows(canary.len()).any(|w| w.eq_ignore_ascii_case(canary.as_bytes()));
        assert!(!found, "{canary} was kept");
    }
    std::fs::remove_dir_all(&dir).expect("gone");
}
