//! Reading documents, sound and sloppy ones.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shadowtap::base::SpecLimits;
use shadowtap::spec::{HostRule, Loader, Options, SpecError, StatusKey, Version, load};

use super::{contract, operation, read, written};

/// Files in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn one(text: impl Into<Vec<u8>>) -> Self {
        Self(BTreeMap::from([("a.yaml".to_owned(), text.into())]))
    }
}

impl Loader for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

fn warnings(name: &str) -> Vec<String> {
    let strip = format!("{}/tests/specs/", env!("CARGO_MANIFEST_DIR"));
    let (_, warnings) = read(name, &Options::default()).unwrap();
    warnings.iter().map(|w| w.to_string().replace(&strip, "")).collect()
}

fn text(text: &str) -> Result<(shadowtap::spec::Contract, Vec<shadowtap::spec::Warning>), SpecError> {
    load(&Memory::one(text), "a.yaml", &Options::default())
}

fn refusal(input: &str) -> String {
    text(input).map(|(contract, _)| contract).expect_err("refused").to_string()
}

#[test]
fn a_sound_document() {
    let pets = contract("petstore.yaml");
    assert_eq!((pets.title.as_str(), pets.version.as_str(), pets.format), ("Petstore", "1.4.0", Version::OpenApi30));
    assert_eq!(pets.operations.len(), 6);
    assert_eq!(warnings("petstore.yaml"), Vec::<String>::new());

    let list = operation(&pets, "GET", "/pets");
    assert_eq!(written(&list.servers[0].segments), "/api/v1/pets");
    assert_eq!(list.servers[0].host, HostRule::Exact("pets.example".to_owned()));
    assert_eq!(list.servers[0].port, None);
    let names: Vec<_> = list.query.iter().map(|q| (q.name.as_str(), q.deprecated)).collect();
    let expected =
        [("api_key", false), ("born", false), ("kind", false), ("page", false), ("size", true), ("trace", false)];
    assert_eq!(names, expected);
    assert_eq!(list.response(200).unwrap().types, ["application/json"]);
    assert_eq!(list.response(404).unwrap().types, ["application/problem+json"]);
    assert!(list.response(500).is_none());
    assert!(list.pointer.ends_with("petstore.yaml#/paths/~1pets/get"));
    assert_eq!(operation(&pets, "POST", "/pets").request_types, ["application/json"]);
    assert!(operation(&pets, "DELETE", "/pets/{petId}").deprecated);
    assert_eq!(operation(&pets, "GET", "/pets/{petId}").response(418).unwrap().status, StatusKey::Default);
    assert_eq!(written(&operation(&pets, "GET", "/files/{path}").servers[0].segments), "/api/v1/files/{path*}");
}

#[test]
fn a_sloppy_document_is_read_as_it_is_meant() {
    let sloppy = contract("sloppy.yaml");
    assert_eq!((sloppy.title.as_str(), sloppy.version.as_str()), ("Sloppy", "2"));
    let list = operation(&sloppy, "GET", "users");
    assert_eq!(written(&list.servers[0].segments), "/v2/users");
    assert_eq!(list.servers[0].port, Some(8443));
    let statuses: Vec<_> = list.responses.iter().map(|r| r.status).collect();
    assert_eq!(statuses, [StatusKey::Code(200), StatusKey::Code(201), StatusKey::Class(2), StatusKey::Default]);
    assert_eq!(list.query.iter().map(|q| q.name.as_str()).collect::<Vec<_>>(), ["page", "sort"]);
    assert_eq!(written(&operation(&sloppy, "GET", "/users/:userId/").servers[0].segments), "/v2/users/{userId}");
    assert!(operation(&sloppy, "DELETE", "/users/:userId/").deprecated);
    let orders = sloppy.operations.iter().find(|o| o.method == "PATCH").unwrap();
    assert_eq!(written(&orders.servers[0].segments), "/v2/users/{userId}/orders/{order-id}");
    assert!(orders.responses.is_empty() && orders.query.is_empty());
    let searches: Vec<_> = sloppy.operations.iter().filter(|o| o.path == "/search").collect();
    assert_eq!(searches.len(), 2);
    assert_eq!(searches[0].variant.as_ref().unwrap().query, ["action", "q"]);
    assert_eq!(sloppy.operations.iter().filter(|o| o.path == "/rpc" && o.variant.is_some()).count(), 2);
    assert_eq!(sloppy.operations.iter().filter(|o| o.path == "/twice").count(), 2, "both of a key given twice");
    assert_eq!(sloppy.operations.iter().filter(|o| o.path == "/{unclosed/x").count(), 1);
}

#[test]
fn each_repair_is_told_with_its_place() {
    let all = warnings("sloppy.yaml");
    for expected in [
        "sloppy.yaml:8#/paths/users: the path does not begin with `/`",
        "sloppy.yaml:9#/paths/users/GET: `GET` was read as the method GET",
        "sloppy.yaml:15#/paths/users/GET/responses/fine: `fine` is no status; read as `default`",
        "sloppy.yaml:17#/paths/users/GET/parameters/id: parameter `page` has no `in`; read as `query`",
        "sloppy.yaml:19#/paths/~1users~1:userId~1: `:userId` was read as `{userId}`",
        "sloppy.yaml:20#/paths/~1users~1:userId~1/get: an operation should be an object",
        "`parameters` should be a list; left out",
        "a parameter without a name; left out",
        "parameter `userId` has no `in`; read as `path`",
        "`color` is no method; left out",
        "/paths/~1things~1{b}/get: the same path as `/things/{a}` by structure",
        "/paths/~1nothing: a path should be an object; left out",
        "/paths/~1list: a path should be an object; left out",
        "`$ref: #/components/pathItems/Missing` cannot be followed",
        "a brace is not closed in `{unclosed`",
        "/paths/~1twice: key given twice",
    ] {
        assert!(all.iter().any(|w| w.contains(expected)), "{expected} is not among\n{}", all.join("\n"));
    }
}

#[test]
fn swagger_2() {
    let old = contract("swagger.json");
    assert_eq!((old.format, old.version.as_str()), (Version::Swagger2, "1.0"));
    let list = operation(&old, "GET", "/items");
    assert_eq!(written(&list.servers[0].segments), "/api/items");
    assert!(list.servers[0].names("old.example", 8080) && !list.servers[0].names("old.example", 80));
    assert_eq!(list.query.iter().map(|q| q.name.as_str()).collect::<Vec<_>>(), ["limit", "token"]);
    assert_eq!(list.response(200).unwrap().types, ["application/json", "application/xml"]);
    assert!(list.response(404).unwrap().types.is_empty(), "`produces` says nothing of errors");
    assert_eq!(operation(&old, "POST", "/items").request_types, ["application/json"]);
    assert!(operation(&old, "POST", "/upload").request_types.contains(&"multipart/form-data".to_owned()));
}

#[test]
fn openapi_3_2() {
    let modern = contract("modern.yaml");
    assert_eq!((modern.format, modern.version.as_str()), (Version::OpenApi32, "2026-11-24"));
    assert_eq!(warnings("modern.yaml"), Vec::<String>::new());
    let query = operation(&modern, "QUERY", "/search");
    let servers: Vec<_> = query.servers.iter().map(|s| (s.host.exact().unwrap(), s.port)).collect();
    assert_eq!(servers, [("eu.modern.example", None), ("us.modern.example", None)]);
    assert_eq!(written(&query.servers[0].segments), "/v3/search");
    operation(&modern, "PURGE", "/search");
    assert!(operation(&modern, "GET", "/raw").any_query);
    let deep = operation(&modern, "GET", "/deep");
    assert!(deep.query_parameter("filter[name]").is_some() && deep.any_query);
    let elsewhere = operation(&modern, "GET", "/elsewhere");
    assert!(elsewhere.servers[0].names("acme.tenants.example", 443));
    assert_eq!(written(&operation(&modern, "POST", "/elsewhere").servers[0].segments), "/inner/elsewhere");
    assert_eq!(written(&operation(&modern, "GET", "/trees/{where}").servers[0].segments), "/v3/trees/{where*}");
    assert_eq!(modern.operations.len(), 7, "a webhook is no operation of ours");
}

#[test]
fn references_within_and_across_files() {
    let split = contract("split/main.yaml");
    let a = operation(&split, "GET", "/a");
    assert_eq!(a.query[0].name, "page");
    assert_eq!(a.request_types, ["text/csv"]);
    assert_eq!(a.response(200).unwrap().types, ["application/json"]);
    assert!(a.pointer.ends_with("split/common/paths.yaml#/~1a/get"), "{}", a.pointer);
    operation(&split, "GET", "/b");
    operation(&split, "DELETE", "/c");
    operation(&split, "GET", "/again");
    operation(&split, "POST", "/again");
    assert_eq!(split.operations.len(), 5);
    let all = warnings("split/main.yaml");
    for expected in [
        "leads round in a circle",
        "it leads to the network, which is never asked",
        "is outside of the document's folder",
        "missing.yaml` cannot be followed: No such file",
    ] {
        assert!(all.iter().any(|w| w.contains(expected)), "{expected} is not among\n{}", all.join("\n"));
    }
    let outside = Options { outside_folder: true, ..Options::default() };
    let (split, _) = read("split/main.yaml", &outside).unwrap();
    operation(&split, "GET", "/outside");
}

#[test]
fn a_reference_may_not_leave_the_folder_by_any_spelling() {
    for reference in [
        "../b.yaml",
        "/etc/b.yaml",
        "%2e%2e/b.yaml",
        "x/../../b.yaml",
        "..\\\\b.yaml",
        "file:///etc/b.yaml",
        "//h/b.yaml",
    ] {
        let main = format!("openapi: 3.0.0\npaths:\n  /a: {{$ref: \"{reference}\"}}\n");
        let mut files = BTreeMap::from([("specs/a.yaml".to_owned(), main.into_bytes())]);
        for target in ["b.yaml", "/etc/b.yaml", "../b.yaml", "h/b.yaml"] {
            files.insert(target.to_owned(), b"get: {}".to_vec());
        }
        let (contract, warnings) = load(&Memory(files), "specs/a.yaml", &Options::default()).unwrap();
        assert!(contract.operations.is_empty(), "{reference} was followed");
        assert!(warnings.iter().any(|w| w.message.contains("cannot be followed")), "{reference}: {warnings:?}");
    }
}

#[test]
fn encodings_and_indentation() {
    let marked = contract("bom-crlf.yaml");
    assert_eq!(written(&marked.operations[0].servers[0].segments), "/münchen/宠物");
    for (name, expected) in [
        ("tabs.yaml", "indented with tabs"),
        ("loose.json", "not strict JSON"),
        ("no-version.yaml", "openapi: missing; read as Swagger 2.0"),
        ("latin1.yaml", "not UTF-8 in line 3"),
    ] {
        assert_eq!(contract(name).operations.len(), 1, "{name}");
        assert!(warnings(name).iter().any(|w| w.contains(expected)), "{name}: {:?}", warnings(name));
    }
    assert_eq!(contract("utf16.json").title, "Wide");
}

#[test]
fn other_documents_are_refused_by_name() {
    for (input, expected) in [
        ("asyncapi: 2.6.0\nchannels: {}", "this is AsyncAPI"),
        (
            r#"{"info":{"_postman_id":"x","schema":"https://schema.getpostman.com/x"},"item":[]}"#,
            "a Postman collection",
        ),
        ("swaggerVersion: '1.2'", "Swagger 1"),
        ("swagger: '1.2'", "Swagger 1.2"),
        ("openapi: 4.0.0\npaths: {}", "OpenAPI 4.0"),
        ("arazzo: 1.0.0", "Arazzo"),
        ("overlay: 1.0.0", "Overlay"),
        ("#%RAML 1.0\ntitle: x", "RAML"),
        ("<!DOCTYPE html>\n<html>", "a web page"),
        ("<?xml version='1.0'?><definitions/>", "XML"),
        ("syntax = \"proto3\";", "protobuf"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}", "Kubernetes"),
        (r#"{"kind":"discovery#restDescription"}"#, "Google API discovery"),
        (r#"{"log":{"entries":[]}}"#, "HTTP archive"),
        (r#"{"$schema":"x","type":"object"}"#, "JSON Schema"),
        ("/a:\n  get: {}", "the inside of `paths`"),
        ("title: x", "openapi: missing"),
        ("- a\n- b", "no object"),
        ("", "an empty file"),
        ("# nothing\n", "an empty file"),
    ] {
        let refusal = refusal(input);
        assert!(refusal.contains(expected) && refusal.starts_with("a.yaml: "), "{input}: {refusal}");
    }
}

#[test]
fn errors_name_the_place() {
    let refusal = refusal("openapi: 3.0.0\npaths:\n  /a: [1, 2\n");
    assert!(refusal.starts_with("a.yaml:"), "{refusal}");
    assert!(matches!(text("{\"openapi\": \"3.0.0\",\n \"paths\": [}"), Err(SpecError::Syntax { line: 2, .. })));
    assert!(matches!(read("none.yaml", &Options::default()), Err(SpecError::Unreadable { .. })));
}

#[test]
fn documents_made_to_hurt_end_at_a_limit() {
    let limit = |input: &str, limits: SpecLimits| {
        let options = Options { limits, ..Options::default() };
        match load(&Memory::one(input), "a.yaml", &options) {
            Err(SpecError::Limit { limit, .. }) => limit,
            other => panic!("{:?}", other.map(|(c, _)| c.operations.len())),
        }
    };
    let small = SpecLimits::default;
    let laughs = read("laughs.yaml", &Options::default()).map(|(contract, _)| contract.operations.len());
    assert!(matches!(laughs, Err(SpecError::Limit { limit: "alias_nodes", .. })), "{laughs:?}");
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(500), close.repeat(500));
    assert_eq!(limit(&deep("[", "]"), small()), "depth");
    assert_eq!(limit(&format!("a: {}", deep("[", "]")), small()), "depth");
    assert_eq!(limit(&deep("{\"a\":", "}"), small()), "depth");
    let block: String = (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert_eq!(limit(&block, small()), "depth");
    assert_eq!(limit("openapi: 3.0.0", SpecLimits { file_bytes: 4, ..small() }), "file_bytes");
    assert_eq!(limit("a: [1, 2, 3, 4]", SpecLimits { nodes: 4, ..small() }), "nodes");
    assert_eq!(limit("[1, 2, 3, 4]", SpecLimits { nodes: 4, ..small() }), "nodes");
}

#[test]
fn limits_within_a_document_cut_it_with_a_warning() {
    let main = "openapi: 3.0.0\npaths:\n  /a: {get: {}, put: {}, post: {}}\n  /b: {$ref: b.yaml}\n";
    let files = BTreeMap::from([("a.yaml".to_owned(), main.into()), ("b.yaml".to_owned(), b"get: {}".to_vec())]);
    let with = |limits: SpecLimits| {
        let options = Options { limits, ..Options::default() };
        let (contract, warnings) = load(&Memory(files.clone()), "a.yaml", &options).unwrap();
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        (contract.operations.len(), warnings.join("\n"))
    };
    assert_eq!(with(SpecLimits::default()), (4, String::new()));
    let (operations, words) = with(SpecLimits { operations: 2, ..SpecLimits::default() });
    assert!(operations == 2 && words.contains("limit `operations`"), "{words}");
    let (operations, words) = with(SpecLimits { files: 1, ..SpecLimits::default() });
    assert!(operations == 3 && words.contains("limit `files`"), "{words}");
    let (operations, words) = with(SpecLimits { total_bytes: main.len() + 2, ..SpecLimits::default() });
    assert!(operations == 3 && words.contains("limit `total_bytes`"), "{words}");
    let many: String = (0..200).map(|n| format!("  p{n}: {{get: {{}}}}\n")).collect();
    let (_, warnings) = text(&format!("openapi: 3.0.0\npaths:\n{many}")).unwrap();
    assert_eq!(warnings.len(), 101);
    assert!(warnings[100].message.contains("100 more warnings"), "{}", warnings[100]);
}

#[test]
fn a_chain_of_files_is_followed_to_its_end() {
    let mut files = BTreeMap::from([("a.yaml".to_owned(), b"openapi: 3.1.0\npaths: {/a: {$ref: f0.yaml}}".to_vec())]);
    for n in 0..20 {
        files.insert(format!("f{n}.yaml"), format!("$ref: f{}.yaml", n + 1).into_bytes());
    }
    files.insert("f20.yaml".to_owned(), b"get: {}".to_vec());
    let (contract, warnings) = load(&Memory(files), "a.yaml", &Options::default()).unwrap();
    assert_eq!((contract.operations.len(), warnings.len()), (1, 0));
}

#[test]
fn a_document_cannot_move_the_cursor() {
    let (_, warnings) = text("openapi: 3.0.0\npaths: {\"\\e[2Ja\": {get: {}}}").unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings.iter().all(|w| !w.to_string().contains('\u{1b}')), "{warnings:?}");
    assert!(!refusal("openapi: \"9.\\e[2J\"\npaths: {}").contains('\u{1b}'));
}

#[test]
fn prefixes_and_overrides() {
    let options = Options {
        strip_prefix: Some("/api".to_owned()),
        add_prefix: Some("/edge/pets/".to_owned()),
        services: vec!["10.0.0.5:8080".parse().unwrap(), "*.internal".parse().unwrap()],
        ..Options::default()
    };
    let (pets, warnings) = read("petstore.yaml", &options).unwrap();
    assert_eq!(warnings, []);
    let list = operation(&pets, "GET", "/pets");
    assert_eq!(written(&list.servers[0].segments), "/edge/pets/v1/pets");
    assert_eq!(list.servers.len(), 2);
    assert!(list.servers.iter().any(|s| s.names("10.0.0.5", 8080)));
    assert!(list.servers.iter().any(|s| s.names("pets.internal", 1)));
    assert!(!list.servers.iter().any(|s| s.names("pets.example", 443)));
    let options = Options { strip_prefix: Some("/ap".to_owned()), ..Options::default() };
    let (_, warnings) = read("petstore.yaml", &options).unwrap();
    assert!(warnings[0].message.contains("strip_prefix `/ap` is the beginning of no documented path"));
}

#[test]
fn routes_are_sorted_and_unique() {
    let routes = contract("modern.yaml").routes();
    assert!(routes.is_sorted() && routes.windows(2).all(|w| w[0] != w[1]));
    let tenants: Vec<_> = routes.iter().filter(|r| written(&r.segments) == "/elsewhere").collect();
    assert_eq!(tenants.len(), 1);
    assert_eq!(tenants[0].host, None, "a pattern cannot be a route's host");
    assert!(routes.iter().any(|r| r.host.as_deref() == Some("eu.modern.example") && r.port.is_none()));
}

const SEEDS: [&str; 6] =
    ["petstore.yaml", "sloppy.yaml", "swagger.json", "modern.yaml", "split/common/paths.yaml", "tabs.yaml"];

/// Pieces that mean something to a reader of YAML, JSON or OpenAPI.
const PIECES: [&str; 24] = [
    "$ref: '#/paths'",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "  ",
    "\t",
    "&a ",
    "*a",
    "<<: *a",
    "null",
    "- ",
    ": ",
    "\"",
    "'",
    "get:",
    "parameters:",
    "responses:",
    "200",
    "~1",
    "%2F",
    "{x}",
    "\u{0}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Mutated documents are read or refused: never a panic, never a limit passed over.
    #[test]
    fn mutated_documents_are_read_or_refused(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, 0..PIECES.len()), 1..12),
    ) {
        let path = format!("{}/tests/specs/{}", env!("CARGO_MANIFEST_DIR"), SEEDS[seed]);
        let mut bytes = std::fs::read(path).unwrap();
        for (at, length, piece) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, PIECES[piece].bytes());
        }
        if let Ok((contract, warnings)) = load(&Memory::one(bytes), "a.yaml", &Options::default()) {
            prop_assert!(contract.operations.iter().all(|o| !o.servers.is_empty() && !o.method.is_empty()));
            prop_assert!(warnings.len() <= 101);
            contract.routes();
        }
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = load(&Memory::one(bytes), "a.yaml", &Options::default());
    }
}
