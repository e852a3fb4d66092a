//! Holding made-up inventories against documents: one that fits gives no finding, and each thing changed gives exactly
//! the finding that tells of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shadowtap::base::Timestamp;
use shadowtap::diff::{self, Diff, Finding, FindingKind, diff};
use shadowtap::inventory::{EndpointView, ParameterView, PathParameter, Quantiles, ServiceView, View};
use shadowtap::observe::{Kind, Scheme};
use shadowtap::spec::{Contract, Loader, Options, load};

use super::{contract, written};

struct One(String);

impl Loader for One {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

/// A document with these paths and this beginning.
fn document(head: &str, paths: &[(&str, &str)]) -> Contract {
    let mut text = format!("openapi: 3.1.0\ninfo: {{title: Made up, version: '1'}}\n{head}\npaths:\n");
    for (path, methods) in paths {
        text.push_str(&format!("  \"{path}\":\n"));
        methods.split(' ').for_each(|m| text.push_str(&format!("    {m}: {{}}\n")));
    }
    load(&One(text), "made-up.yaml", &Options::default()).unwrap().0
}

/// An endpoint that answered all of its ten calls with 200; parameters in its path are integers.
fn endpoint(method: &str, template: &str) -> EndpointView {
    let names: Vec<&str> = template.split('{').skip(1).filter_map(|t| t.split('}').next()).collect();
    EndpointView {
        id: format!("ep-{method}-{template}"),
        method: method.to_owned(),
        template: template.to_owned(),
        operation: None,
        prefix: None,
        versions: None,
        path_parameters: names
            .iter()
            .map(|n| PathParameter { name: (*n).to_owned(), kinds: BTreeMap::from([(Kind::Integer, 10)]) })
            .collect(),
        documented: false,
        calls: 10,
        unanswered: 0,
        first_seen: Timestamp::from_parts(100, 0),
        last_seen: Timestamp::from_parts(200, 0),
        days_seen: 1,
        statuses: BTreeMap::from([(200, 10)]),
        grpc_statuses: BTreeMap::new(),
        messages: None,
        callers: 2,
        latency: Quantiles::default(),
        request_size: Quantiles::default(),
        response_size: Quantiles::default(),
        request_types: BTreeMap::new(),
        response_types: BTreeMap::new(),
        query: BTreeMap::new(),
    }
}

fn words(mut endpoint: EndpointView, place: usize) -> EndpointView {
    endpoint.path_parameters[place].kinds = BTreeMap::from([(Kind::Word, 10)]);
    endpoint
}

fn answering(mut endpoint: EndpointView, statuses: &[(u16, u64)]) -> EndpointView {
    endpoint.statuses = statuses.iter().copied().collect();
    endpoint.calls = statuses.iter().map(|s| s.1).sum();
    endpoint
}

fn asking(mut endpoint: EndpointView, name: &str, calls: u64) -> EndpointView {
    let parameter = ParameterView { calls, kinds: BTreeMap::from([(Kind::Integer, calls)]) };
    endpoint.query.insert(name.to_owned(), parameter);
    endpoint
}

fn typed(mut endpoint: EndpointView, request: &[(&str, u64)], response: &[(&str, u64)]) -> EndpointView {
    let owned = |types: &[(&str, u64)]| types.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect();
    endpoint.request_types = owned(request);
    endpoint.response_types = owned(response);
    endpoint
}

fn service(host: &str, port: u16, endpoints: Vec<EndpointView>) -> ServiceView {
    ServiceView {
        id: format!("svc-{host}-{port}"),
        scheme: Scheme::Http,
        host: host.to_owned(),
        port,
        addresses: vec!["192.0.2.1".parse().unwrap()],
        calls: endpoints.iter().map(|e| e.calls).sum(),
        first_seen: Timestamp::from_parts(100, 0),
        last_seen: Timestamp::from_parts(200, 0),
        endpoints,
        probes: BTreeMap::new(),
        probed_paths: 0,
        api: None,
        members: Vec::new(),
        because: String::new(),
        prefixes: Vec::new(),
    }
}

fn view(services: Vec<ServiceView>) -> View {
    View {
        schema: View::SCHEMA,
        first_seen: Timestamp::from_parts(100, 0),
        last_seen: Timestamp::from_parts(200, 0),
        services,
        ..View::default()
    }
}

/// Kind, method and template or service, subject.
fn short(finding: &Finding) -> String {
    let kind = finding.kind.name();
    assert_eq!(serde_json::to_value(finding.kind).unwrap(), kind, "one name everywhere");
    let what = match (&finding.method, &finding.template) {
        (Some(method), Some(template)) => format!("{method} {template}"),
        _ => finding.service.clone(),
    };
    let subject = finding.subject.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
    format!("{kind} {what}{subject}")
}

fn shorts(diff: &Diff) -> Vec<String> {
    diff.findings.iter().map(short).collect()
}

fn one(contract: &Contract, endpoints: Vec<EndpointView>) -> Vec<String> {
    shorts(&diff(&view(vec![service("made-up.example", 80, endpoints)]), std::slice::from_ref(contract)))
}

/// Every operation of `petstore.yaml`, called as documented, but the zombie.
fn pets() -> Vec<EndpointView> {
    let json = "application/json";
    vec![
        endpoint("GET", "/api/v1/files/a/b"),
        typed(asking(asking(endpoint("GET", "/api/v1/pets"), "page", 10), "kind", 3), &[], &[("application/json", 10)]),
        typed(answering(endpoint("POST", "/api/v1/pets"), &[(201, 10)]), &[(json, 10)], &[]),
        endpoint("GET", "/api/v1/pets/mine"),
        typed(
            answering(endpoint("GET", "/api/v1/pets/{id}"), &[(200, 9), (404, 1)]),
            &[],
            &[("image/png", 4), (json, 5), ("application/problem+json", 1)],
        ),
    ]
}

const ZOMBIE_UNSEEN: &str = "unseen DELETE /api/v1/pets/{petId}";

fn held(endpoints: Vec<EndpointView>) -> Vec<String> {
    let view = view(vec![service("pets.example", 8080, endpoints)]);
    let mut found = shorts(&diff(&view, &[contract("petstore.yaml")]));
    found.retain(|f| f != ZOMBIE_UNSEEN);
    found
}

fn change(template: &str, method: &str, with: impl FnOnce(EndpointView) -> EndpointView) -> Vec<EndpointView> {
    let mut all = pets();
    let at = all.iter().position(|e| e.template.ends_with(template) && e.method == method).unwrap();
    let old = all.remove(at);
    all.insert(at, with(old));
    all
}

#[test]
fn what_fits_gives_no_finding() {
    assert_eq!(held(pets()), Vec::<String>::new());
}

#[test]
fn each_thing_changed_gives_exactly_its_finding() {
    let with = |more: EndpointView| {
        let mut all = pets();
        all.push(more);
        held(all)
    };
    let without = |n: usize| {
        let mut all = pets();
        all.remove(n);
        held(all)
    };
    assert_eq!(with(endpoint("GET", "/api/v1/internal")), ["shadow GET /api/v1/internal"]);
    assert_eq!(with(endpoint("GET", "/api/v2/pets")), ["shadow GET /api/v2/pets"]);
    assert_eq!(with(endpoint("GET", "/api/v1/pets/{id}/toys")), ["shadow GET /api/v1/pets/{id}/toys"]);
    assert_eq!(with(endpoint("PUT", "/api/v1/pets/{id}")), ["undocumented-method PUT /api/v1/pets/{id}"]);
    let delete = answering(endpoint("DELETE", "/api/v1/pets/{id}"), &[(204, 3)]);
    assert_eq!(with(delete), ["zombie DELETE /api/v1/pets/{id}"]);
    assert_eq!(without(0), ["unseen GET /api/v1/files/{path*}"]);
    assert_eq!(without(1), ["unseen GET /api/v1/pets"]);
    assert_eq!(without(2), ["unseen POST /api/v1/pets"]);
    assert_eq!(without(3), ["unseen GET /api/v1/pets/mine"]);
    assert_eq!(without(4), ["unseen GET /api/v1/pets/{petId}"]);
    let changed = |with: fn(EndpointView) -> EndpointView| held(change("/pets", "GET", with));
    assert_eq!(changed(|e| answering(e, &[(200, 9), (500, 1)])), ["undocumented-status GET /api/v1/pets 500"]);
    assert_eq!(changed(|e| asking(e, "debug", 1)), ["undocumented-query-parameter GET /api/v1/pets debug"]);
    assert_eq!(changed(|e| asking(e, "size", 1)), ["zombie GET /api/v1/pets size"]);
    assert_eq!(
        changed(|e| typed(e, &[], &[("text/html", 10)])),
        ["undocumented-content-type GET /api/v1/pets response text/html"]
    );
    assert_eq!(
        held(change("/pets", "POST", |e| typed(e, &[("text/xml", 1)], &[]))),
        ["undocumented-content-type POST /api/v1/pets request text/xml"]
    );
}

#[test]
fn what_says_nothing_of_the_api_is_no_finding() {
    let with = |more: EndpointView| {
        let mut all = pets();
        all.push(more);
        held(all)
    };
    let none = Vec::<String>::new();
    for method in ["OPTIONS", "CONNECT"] {
        assert_eq!(with(endpoint(method, "/api/v1/anything")), none, "{method}");
    }
    assert_eq!(with(endpoint("OPTIONS", "/api/v1/pets")), none);
    assert_eq!(with(endpoint("HEAD", "/api/v1/pets")), none);
    for status in [404, 405, 410, 501] {
        assert_eq!(with(answering(endpoint("GET", "/api/v1/nope"), &[(status, 9)])), none, "{status}");
        assert_eq!(with(answering(endpoint("PUT", "/api/v1/pets"), &[(status, 9)])), none, "{status}");
        assert_eq!(with(answering(endpoint("DELETE", "/api/v1/pets/{id}"), &[(status, 9)])), none, "{status}");
    }
    for status in [103, 304, 429, 502, 503] {
        assert_eq!(held(change("/pets", "GET", |e| answering(e, &[(200, 9), (status, 9)]))), none, "{status}");
    }
    // An error page of a gateway in front: as many as there were 502s.
    let page = |e| typed(answering(e, &[(200, 9), (502, 1)]), &[], &[("application/json", 9), ("text/html", 1)]);
    assert_eq!(held(change("/pets", "GET", page)), none);
    assert_eq!(held(change("/pets", "GET", |e| asking(e, "{uuid}", 1))), none, "a name that is a value");
    assert_eq!(held(change("/pets", "GET", |e| asking(e, "api_key", 1))), none, "documented as a credential");
    assert_eq!(with(endpoint("HEAD", "/api/v1/own")), ["shadow HEAD /api/v1/own"], "HEAD alone shows a path");
    let mut both = pets();
    both.extend([endpoint("GET", "/api/v1/own"), endpoint("HEAD", "/api/v1/own")]);
    assert_eq!(held(both), ["shadow GET /api/v1/own"], "HEAD beside GET is one and the same");
}

#[test]
fn hard_case_1_documented_literals_come_before_parameters() {
    let doc = document("servers: [{url: 'http://made-up.example'}]", &[("/users/me", "get"), ("/users/{id}", "get")]);
    assert_eq!(one(&doc, vec![endpoint("GET", "/users/me")]), ["unseen GET /users/{id}"]);
    assert_eq!(one(&doc, vec![endpoint("GET", "/users/{x}")]), ["unseen GET /users/me"]);
    assert_eq!(one(&doc, vec![endpoint("GET", "/users/settings")]), ["unseen GET /users/me"], "covered by {{id}}");
    let doc = document("servers: [{url: 'http://made-up.example'}]", &[("/users/me", "get"), ("/users/you", "get")]);
    let found = one(&doc, vec![endpoint("GET", "/users/{x}")]);
    assert_eq!(found, ["shadow GET /users/{x}", "unseen GET /users/me", "unseen GET /users/you"]);
}

#[test]
fn words_that_the_learner_may_have_folded_are_given_the_benefit_of_doubt() {
    // Hosts that do not match: the learner was not told of the routes.
    let doc = document(
        "servers: [{url: 'http://other.example'}]",
        &[
            ("/tickets/open", "get"),
            ("/tickets/closed", "get"),
            ("/tickets", "get post"),
            ("/tickets/{id}/notes", "get"),
        ],
    );
    let seen = |kind: fn(EndpointView) -> EndpointView| {
        one(
            &doc,
            vec![
                endpoint("GET", "/tickets"),
                endpoint("POST", "/tickets"),
                endpoint("GET", "/tickets/{x}/notes"),
                kind(endpoint("GET", "/tickets/{x}")),
            ],
        )
    };
    assert_eq!(seen(|e| words(e, 0)), Vec::<String>::new());
    assert_eq!(
        seen(|e| e),
        ["shadow GET /tickets/{x}", "unseen GET /tickets/closed", "unseen GET /tickets/open"],
        "numbers are none of these words"
    );
}

#[test]
fn hard_case_9_slashes_and_letters_do_not_make_a_shadow() {
    let doc = document(
        "servers: [{url: 'http://made-up.example/'}]",
        &[("/Users/{id}/", "get"), ("/a%20b/宠物", "get"), ("//double//slash", "get"), ("/m;v=1/x", "get")],
    );
    let seen =
        ["/users/{id}", "/a%20b/%E5%AE%A0%E7%89%A9", "/double/slash/", "/m/x"].map(|t| endpoint("GET", t)).to_vec();
    assert_eq!(one(&doc, seen), Vec::<String>::new());
}

#[test]
fn hard_case_8_mixed_segments() {
    let doc = document(
        "servers: [{url: 'http://made-up.example'}]",
        &[("/{service}/{caseId}.{ext}", "get"), ("/jobs/{name}:cancel", "post"), ("/at/{lat},{lon}", "get")],
    );
    let mut seen =
        vec![endpoint("GET", "/{s}/{c}.{e}"), endpoint("POST", "/jobs/nightly:cancel"), endpoint("GET", "/at/{a},{b}")];
    assert_eq!(one(&doc, seen.clone()), Vec::<String>::new());
    seen.push(endpoint("POST", "/jobs/nightly:start"));
    assert_eq!(one(&doc, seen), ["shadow POST /jobs/nightly:start"]);
}

#[test]
fn operations_told_apart_by_query_or_fragment_alone() {
    let doc = document(
        "servers: [{url: 'http://made-up.example'}]",
        &[
            ("/?Action=List", "get"),
            ("/?Action=Get", "get"),
            ("/#Put", "post"),
            ("/#Take", "post"),
            ("/x?special=1", "get"),
        ],
    );
    let root = asking(endpoint("GET", "/"), "Action", 10);
    let found = one(&doc, vec![root.clone(), endpoint("POST", "/"), asking(endpoint("GET", "/x"), "special", 2)]);
    assert_eq!(found, Vec::<String>::new(), "either may have been called, and neither is ambiguous");
    let found = one(&doc, vec![root, endpoint("POST", "/"), endpoint("GET", "/x")]);
    assert_eq!(found, ["unseen GET /x ?special=1"], "the parameter that makes it was never sent");
}

#[test]
fn ambiguous_operations() {
    let doc = document("servers: [{url: 'http://made-up.example'}]", &[("/pets/{a}", "get"), ("/pets/{b}", "get")]);
    assert_eq!(one(&doc, vec![endpoint("GET", "/pets/{x}")]), ["ambiguous GET /pets/{x} /pets/{a}, /pets/{b}"]);
    let doc = document("servers: [{url: 'http://made-up.example'}]", &[("/{a}/pets", "get"), ("/users/{b}", "get")]);
    assert_eq!(one(&doc, vec![endpoint("GET", "/users/pets")]), ["ambiguous GET /users/pets /{a}/pets, /users/{b}"]);
    let doc = document("servers: [{url: 'http://made-up.example'}]", &[("/pets/{a}", "get"), ("/pets/{b}", "put")]);
    let found = one(&doc, vec![endpoint("GET", "/pets/{x}"), endpoint("PUT", "/pets/{x}")]);
    assert_eq!(found, Vec::<String>::new(), "methods tell them apart");
    let both =
        document("servers: [{url: 'http://made-up.example'}, {url: 'http://made-up.example/'}]", &[("/a", "get")]);
    assert_eq!(one(&both, vec![endpoint("GET", "/a")]), Vec::<String>::new(), "one operation, two servers");
}

#[test]
fn services_without_a_document_are_one_finding_each() {
    let all = vec![
        service("pets.example", 80, pets()),
        service("www.example", 80, vec![endpoint("GET", "/a"), endpoint("GET", "/b"), endpoint("OPTIONS", "/c")]),
        service("scanned.example", 80, vec![answering(endpoint("GET", "/admin"), &[(404, 7)])]),
    ];
    let diff = diff(&view(all), &[contract("petstore.yaml")]);
    assert_eq!(shorts(&diff), ["undocumented-service http://www.example", ZOMBIE_UNSEEN]);
    assert_eq!(diff.findings[0].calls, 20);
    assert_eq!(diff.findings[0].statuses, BTreeMap::from([(200, 20)]));
    assert!(diff.findings[0].kind.counts_as(FindingKind::Shadow), "--fail-on shadow");
    assert!(!diff.findings[0].kind.counts_as(FindingKind::Zombie));
    assert_eq!(diff.documents[0].services, ["http://pets.example"]);
    assert_eq!((diff.documents[0].operations, diff.documents[0].seen), (6, 5));
}

#[test]
fn without_documents_nothing_is_found() {
    let mut scanned = service("pets.example", 80, pets());
    scanned.probes = BTreeMap::from([(404, 90), (403, 10)]);
    let diff = diff(&view(vec![scanned]), &[]);
    assert_eq!((diff.findings.len(), diff.documents.len()), (0, 0));
    assert_eq!(diff.probes, BTreeMap::from([("http://pets.example".to_owned(), 100)]));
}

#[test]
fn a_health_check_by_address_belongs_to_the_named_service() {
    let all =
        vec![service("192.0.2.1", 8080, vec![endpoint("GET", "/healthz")]), service("pets.example", 8080, pets())];
    let found = diff(&view(all), &[contract("petstore.yaml")]);
    assert_eq!(shorts(&found), ["shadow GET /healthz", ZOMBIE_UNSEEN]);
    assert_eq!(found.documents[0].services, ["http://192.0.2.1:8080", "http://pets.example:8080"]);
    let all =
        vec![service("192.0.2.9", 8080, vec![endpoint("GET", "/healthz")]), service("pets.example", 8080, pets())];
    let found = diff(&view(all), &[contract("petstore.yaml")]);
    assert_eq!(shorts(&found), ["undocumented-service http://192.0.2.9:8080", ZOMBIE_UNSEEN], "another machine");
}

#[test]
fn a_document_without_a_matching_server_goes_where_its_paths_are() {
    let paths = [("/pets", "get post"), ("/pets/{id}", "get"), ("/health", "get"), ("/{anything}", "get")];
    for head in ["", "servers: [{url: /}]", "servers: [{url: 'https://elsewhere.example'}]"] {
        let doc = document(head, &paths);
        let all = vec![
            service("10.0.0.5", 8080, vec![endpoint("GET", "/pets"), endpoint("GET", "/pets/{x}")]),
            service("10.0.0.6", 8080, vec![endpoint("GET", "/pets/{x}"), endpoint("DELETE", "/pets/{x}")]),
            service("10.0.0.7", 80, vec![endpoint("GET", "/health"), endpoint("GET", "/orders")]),
            service("10.0.0.8", 80, vec![answering(endpoint("GET", "/pets"), &[(404, 5)]), endpoint("GET", "/x/y")]),
        ];
        let found = diff(&view(all), &[doc]);
        assert_eq!(found.documents[0].services, ["http://10.0.0.5:8080", "http://10.0.0.6:8080"], "{head}");
        assert_eq!(
            shorts(&found),
            [
                "undocumented-service http://10.0.0.7",
                "undocumented-service http://10.0.0.8",
                "undocumented-method DELETE /pets/{x}",
                "unseen GET /health",
                "unseen POST /pets",
                "unseen GET /{anything}",
            ],
            "{head}"
        );
        assert!(found.documents[0].notes[0].contains("2 of its 2 telling paths"), "{:?}", found.documents[0].notes);
    }
}

#[test]
fn a_few_paths_in_common_do_not_make_a_large_service_documented() {
    let doc = document(
        "",
        &[("/users", "get"), ("/users/{id}", "get"), ("/carts", "get"), ("/carts/{id}", "get"), ("/wishes", "get")],
    );
    let mut endpoints: Vec<_> = (0..30).map(|n| endpoint("GET", &format!("/thing{n}"))).collect();
    endpoints.push(endpoint("GET", "/users"));
    let found = diff(&view(vec![service("big.example", 80, endpoints)]), &[doc]);
    assert_eq!(shorts(&found), ["undocumented-service http://big.example", "unseen no server stated Made up",]);
    assert!(found.documents[0].notes[0].contains("held against no service"));
}

#[test]
fn hosts_ports_and_overrides_decide() {
    let head = |url: &str| format!("servers: [{{url: '{url}'}}]");
    let all = || view(vec![service("a.example", 8443, vec![endpoint("GET", "/v1/x")])]);
    let found = |url: &str| shorts(&diff(&all(), &[document(&head(url), &[("/x", "get")])]));
    assert_eq!(found("https://a.example/v1"), Vec::<String>::new(), "no port stated: any");
    assert_eq!(found("http://a.example:8443/v1"), Vec::<String>::new());
    assert_eq!(found("https://{tenant}.example/v1"), Vec::<String>::new());
    assert_eq!(found("https://a.example/v2"), ["shadow GET /v1/x", "unseen GET /v2/x"], "another base path");

    let options = Options { services: vec!["a.example:8443".parse().unwrap()], ..Options::default() };
    let text = "openapi: 3.0.0\nservers: [{url: 'https://z.example/v1'}]\npaths: {/x: {get: {}}, /y: {get: {}}}";
    let (overridden, _) = load(&One(text.to_owned()), "a.yaml", &options).unwrap();
    assert_eq!(shorts(&diff(&all(), &[overridden])), ["unseen GET /v1/y"]);
}

#[test]
fn a_base_path_that_a_gateway_takes_off_is_hinted_at() {
    let doc = document("servers: [{url: 'https://a.example/v1'}]", &[("/x", "get"), ("/y", "get")]);
    let found = diff(&view(vec![service("a.example", 80, vec![endpoint("GET", "/x")])]), &[doc]);
    assert!(found.documents[0].notes[0].contains("without the base path /v1"), "{:?}", found.documents[0].notes);
}

#[test]
fn several_documents_for_one_service() {
    let head = "servers: [{url: 'http://a.example'}]";
    let first = document(head, &[("/users", "get"), ("/users/{id}", "get")]);
    let second = document(head, &[("/users/{id}", "get"), ("/carts", "get")]);
    let seen = ["/users", "/users/{x}", "/carts"].map(|t| endpoint("GET", t)).to_vec();
    let found = diff(&view(vec![service("a.example", 80, seen)]), &[first, second]);
    assert_eq!(shorts(&found), Vec::<String>::new(), "any document will do, and two are no riddle");
    assert_eq!(found.documents.iter().map(|d| d.seen).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn findings_carry_their_evidence() {
    let mut all = pets();
    all.push(asking(endpoint("GET", "/api/v1/pets/{id}/toys"), "page", 9));
    let view = view(vec![service("pets.example", 8080, all)]);
    let found = diff(&view, &[contract("petstore.yaml")]);
    let shadow = &found.findings[0];
    assert_eq!(shadow.example.as_deref(), Some("GET /api/v1/pets/{integer}/toys?page={integer}"));
    assert_eq!(shadow.message, "GET /api/v1/pets/{id}/toys: in no document; asked for by 2 callers");
    assert_eq!((shadow.calls, shadow.service_calls), (10, 60));
    assert_eq!(shadow.first_seen, Timestamp::from_parts(100, 0));
    let unseen = &found.findings[1];
    assert_eq!(
        unseen.message,
        "DELETE /api/v1/pets/{petId} (documented as deprecated): not seen among 60 calls of http://pets.example:8080"
    );
    assert!(unseen.document.as_ref().unwrap().ends_with("petstore.yaml#/paths/~1pets~1{petId}/delete"));
}

#[test]
fn ids_are_stable_and_apart() {
    let with = |template: &str| {
        let mut all = pets();
        all.push(endpoint("GET", template));
        all.push(answering(endpoint("DELETE", "/api/v1/pets/{id}"), &[(204, 3), (500, 1)]));
        let mut view = view(vec![service("pets.example", 8080, all)]);
        view.services[0].calls += 1000;
        diff(&view, &[contract("petstore.yaml")]).findings
    };
    let (a, b) = (with("/api/v1/toys/{toyId}"), with("/api/v1/toys/{id}"));
    assert_eq!(a[0].id, b[0].id, "names of parameters do not count");
    assert_eq!(a[0].id, "f-8037c031612cb8ac", "nor does the version of shadowtap");
    assert_ne!(with("/api/v1/toys/id")[0].id, a[0].id);
    let mut ids: Vec<_> = a.iter().map(|f| &f.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), a.len());
}

#[test]
fn hard_case_13_the_order_of_findings_is_fixed() {
    let mut all = pets();
    all.push(endpoint("GET", "/z"));
    all.push(endpoint("GET", "/a"));
    all.push(endpoint("PUT", "/api/v1/pets"));
    let mut other = all.clone();
    other.reverse();
    let found =
        |endpoints| shorts(&diff(&view(vec![service("pets.example", 80, endpoints)]), &[contract("petstore.yaml")]));
    let expected = ["shadow GET /a", "shadow GET /z", "undocumented-method PUT /api/v1/pets", ZOMBIE_UNSEEN];
    assert_eq!(found(all), expected);
    assert_eq!(found(other), expected);
}

#[test]
fn routes_are_pinned_to_the_services_of_a_document() {
    let doc = document("servers: [{url: 'https://elsewhere.example/api'}]", &[("/pets", "get"), ("/pets/{id}", "get")]);
    let seen = view(vec![service("10.0.0.5", 8080, vec![endpoint("GET", "/api/pets")])]);
    let routes: Vec<_> = diff::routes(&seen, &[doc])
        .into_iter()
        .map(|r| format!("{}:{:?}{}", r.host.unwrap_or_default(), r.port, written(&r.segments)))
        .collect();
    assert_eq!(
        routes,
        [
            "10.0.0.5:Some(8080)/api/pets",
            "10.0.0.5:Some(8080)/api/pets/{id}",
            "elsewhere.example:None/api/pets",
            "elsewhere.example:None/api/pets/{id}",
        ]
    );
}

/// A documented segment, and what traffic may show of it.
fn place(last: bool) -> impl Strategy<Value = (String, String)> {
    let literal =
        prop::sample::select(vec!["a", "b", "users", "me", "v1", "x.y"]).prop_map(|w| (w.to_owned(), w.to_owned()));
    let value = prop::sample::select(vec!["{id}", "me", "zoë", "42"]);
    let parameter = value.prop_map(|seen| ("{p}".to_owned(), seen.to_owned()));
    let mixed =
        prop::sample::select(vec!["{n}.{e}", "notes.txt"]).prop_map(|s| ("{name}.{ext}".to_owned(), s.to_owned()));
    let tail = prop::sample::select(vec!["one", "one/two", "{id}/two/three"]);
    let catch_all = tail.prop_map(|seen| ("{path*}".to_owned(), seen.to_owned()));
    if last {
        prop_oneof![4 => literal, 3 => parameter, 1 => mixed, 2 => catch_all].boxed()
    } else {
        prop_oneof![4 => literal, 3 => parameter, 1 => mixed].boxed()
    }
}

fn path() -> impl Strategy<Value = (String, String)> {
    (prop::collection::vec(place(false), 0..3), place(true)).prop_map(|(mut places, last)| {
        places.push(last);
        let join = |texts: Vec<String>| texts.iter().map(|t| format!("/{t}")).collect::<String>();
        let (documented, seen) = places.into_iter().unzip();
        (join(documented), join(seen))
    })
}

proptest! {
    /// What a document names is never a shadow, however many other paths it names, and is never unseen once it was called
    /// by its own template.
    #[test]
    fn documented_calls_are_no_shadows(paths in prop::collection::vec(path(), 1..12), named in any::<bool>()) {
        let head = if named { "servers: [{url: 'http://made-up.example/'}]" } else { "servers: [{url: /}]" };
        let operations: BTreeMap<&str, &str> = paths.iter().map(|(documented, _)| (documented.as_str(), "get")).collect();
        let doc = document(head, &operations.into_iter().collect::<Vec<_>>());
        let all: BTreeMap<&str, EndpointView> = paths.iter().map(|(_, seen)| (seen.as_str(), endpoint("GET", seen))).collect();
        let found = diff(&view(vec![service("made-up.example", 80, all.into_values().collect())]), &[doc]);
        let held = !found.documents[0].services.is_empty();
        prop_assert!(held || !named);
        for finding in found.findings.iter().filter(|_| held) {
            prop_assert!(matches!(finding.kind, FindingKind::Unseen | FindingKind::Ambiguous), "{}", finding.message);
        }
    }

    /// The order of documents does not change what is found.
    #[test]
    fn hard_case_13_the_order_of_documents_does_not_matter(paths in prop::collection::vec(path(), 2..8), cut in 1usize..7) {
        let head = "servers: [{url: 'http://made-up.example/'}]";
        let cut = cut.min(paths.len() - 1);
        let of = |paths: &[(String, String)]| {
            let operations: BTreeMap<&str, &str> = paths.iter().map(|(d, _)| (d.as_str(), "get")).collect();
            document(head, &operations.into_iter().collect::<Vec<_>>())
        };
        let (one, two) = (of(&paths[..cut]), of(&paths[cut..]));
        let all: BTreeMap<&str, EndpointView> = paths.iter().map(|(_, seen)| (seen.as_str(), endpoint("PUT", seen))).collect();
        let view = view(vec![service("made-up.example", 80, all.into_values().collect())]);
        let ids = |contracts: &[Contract]| diff(&view, contracts).findings.into_iter().map(|f| f.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&[one.clone(), two.clone()]), ids(&[two, one]));
    }
}
