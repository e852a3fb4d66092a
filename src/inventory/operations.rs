//! Verbs beside the path: which parameter of a query or a form separates operations.
//!
//! Takes a template's raw endpoints, each with what may name an operation (`?Action=DescribeInstances`), gives the same
//! endpoints by operation where one is dispatched to, and all together where not. A pure view, as templates are: judged anew
//! whenever it is asked for. Never separates by a parameter that merely filters, sorts or formats.
//!
//! A parameter separates when (nearly) every request of the path has it, its values are few and spelt as names of
//! operations are, and what goes with a value (other parameters, media types) depends on it. A filter may be spelt like a
//! verb (`GET /audit?action=login`), but what it answers looks the same whichever way it is set, and most ask without it.

use std::collections::{BTreeMap, BTreeSet};

use super::learn::Template;
use super::methods::Methods;
use super::tree::{Endpoint, EndpointId, Tree};

/// Values of a parameter beyond which it names no operation. The largest API known to us by verbs (EC2) has about 750.
const OPERATIONS: usize = 1024;
/// Versions beyond which a parameter is not one of versions.
const VERSIONS: usize = 16;
/// The header that never does anything else.
const TARGET: &str = "X-Amz-Target";

/// Words that the names of operations begin with.
const VERBS: [&str; 96] = [
    "accept",
    "activate",
    "add",
    "allocate",
    "approve",
    "archive",
    "assign",
    "associate",
    "assume",
    "attach",
    "authorize",
    "batch",
    "block",
    "call",
    "cancel",
    "change",
    "check",
    "clear",
    "clone",
    "close",
    "commit",
    "confirm",
    "connect",
    "copy",
    "count",
    "create",
    "deactivate",
    "decrypt",
    "delete",
    "deny",
    "describe",
    "detach",
    "disable",
    "disassociate",
    "download",
    "edit",
    "enable",
    "encrypt",
    "execute",
    "export",
    "fetch",
    "find",
    "generate",
    "get",
    "import",
    "init",
    "insert",
    "install",
    "invoke",
    "list",
    "load",
    "lock",
    "login",
    "logout",
    "lookup",
    "make",
    "modify",
    "move",
    "open",
    "parse",
    "pause",
    "ping",
    "poll",
    "post",
    "publish",
    "purge",
    "put",
    "query",
    "read",
    "reboot",
    "receive",
    "refresh",
    "register",
    "release",
    "remove",
    "rename",
    "replace",
    "reset",
    "restart",
    "resume",
    "revoke",
    "run",
    "save",
    "search",
    "send",
    "set",
    "start",
    "stop",
    "submit",
    "subscribe",
    "sync",
    "tag",
    "terminate",
    "update",
    "upload",
    "validate",
];

/// What is known of one value of a parameter.
#[derive(Default)]
struct Summary {
    succeeded: u64,
    /// Other parameters that most requests with it have, and media types of both directions.
    signature: BTreeSet<String>,
}

/// A template, or an operation on it: what separates it from the others (empty: nothing), and its raw endpoints.
pub(super) fn split(tree: &Tree, template: &Template, methods: &Methods) -> Vec<(String, Vec<EndpointId>)> {
    let endpoint = |id: &EndpointId| tree.endpoints.get(*id as usize).and_then(Option::as_ref);
    let key = |e: &Endpoint| methods.operation(e.method);
    let whole = || vec![(String::new(), template.endpoints.clone())];
    let all: Vec<_> = template.endpoints.iter().filter_map(|id| Some((*id, endpoint(id)?))).collect();
    if all.iter().all(|(_, e)| key(e).is_empty()) {
        return whole();
    }
    let safe = matches!(methods.name(template.method), "GET" | "HEAD");
    let separating = separating(&all, methods, safe);
    if separating.is_empty() {
        return whole();
    }
    let mut operations = BTreeMap::<String, Vec<EndpointId>>::new();
    for (id, e) in &all {
        operations.entry(reduced(key(e), &separating)).or_default().push(*id);
    }
    // What nobody ever got done may be no operation: it stays with the path.
    let real = |ids: &[EndpointId]| ids.iter().filter_map(endpoint).any(|e| e.state.may_be_real());
    let (mut kept, unreal): (BTreeMap<_, _>, Vec<_>) = {
        let (kept, unreal): (Vec<_>, Vec<_>) =
            operations.into_iter().partition(|(name, ids)| name.is_empty() || real(ids));
        (kept.into_iter().collect(), unreal)
    };
    for (_, ids) in unreal {
        kept.entry(String::new()).or_default().extend(ids);
    }
    kept.into_iter().collect()
}

/// The parameters that separate operations.
fn separating<'a>(all: &[(EndpointId, &'a Endpoint)], methods: &'a Methods, safe: bool) -> BTreeSet<&'a str> {
    let mut total = 0;
    let mut parameters = BTreeMap::<&str, BTreeMap<&str, Summary>>::new();
    let mut dated = false;
    for (_, e) in all {
        let succeeded = e.state.succeeded();
        // Who dispatches by a header has another protocol beside this one.
        total += if methods.operation(e.method).starts_with(TARGET) { 0 } else { succeeded };
        let query = e.state.query();
        dated |= query.contains_key("Version");
        let pairs: Vec<_> = parts(methods.operation(e.method)).collect();
        for &(name, value) in &pairs {
            let summary = parameters.entry(name).or_default().entry(value).or_default();
            summary.succeeded += succeeded;
            if succeeded == 0 {
                continue;
            }
            let others =
                query.iter().filter(|(n, p)| p.calls * 2 >= succeeded && !pairs.iter().any(|(known, _)| known == n));
            summary.signature.extend(others.map(|(n, _)| format!("?{n}")));
            let [requests, responses] = e.state.media_types();
            summary.signature.extend(requests.into_keys().map(|t| format!(">{t}")));
            summary.signature.extend(responses.into_keys().map(|t| format!("<{t}")));
        }
    }
    let separates = |(name, values): &(&str, BTreeMap<&str, Summary>)| separates(name, values, total, safe, dated);
    parameters.into_iter().filter(separates).map(|(name, _)| name).collect()
}

/// Does a parameter separate operations? `dated`: some requests have `Version` beside it, as all of AWS's query protocol have.
fn separates(name: &str, values: &BTreeMap<&str, Summary>, total: u64, safe: bool, dated: bool) -> bool {
    let real: Vec<_> = values.iter().filter(|(_, s)| s.succeeded > 0).collect();
    if name == TARGET {
        return !real.is_empty();
    }
    let calls: u64 = real.iter().map(|(_, s)| s.succeeded).sum();
    if real.len() < 2 || calls * 4 < total * 3 {
        return false;
    }
    if name.to_ascii_lowercase().contains("version") {
        return real.len() <= VERSIONS;
    }
    if real.len() > OPERATIONS {
        return false;
    }
    let share = |is: fn(&str) -> bool| real.iter().filter(|(value, _)| is(value)).count() as f64 / real.len() as f64;
    let (verbs, compounds, spelt) = (share(is_verb), share(is_compound), share(|v| is_verb(v) || is_compound(v)));
    let mut alike = BTreeMap::<&BTreeSet<String>, usize>::new();
    real.iter().for_each(|(_, s)| *alike.entry(&s.signature).or_default() += 1);
    let differ = 1.0 - alike.values().max().copied().unwrap_or(0) as f64 / real.len() as f64;
    if safe {
        // Reading, it may as well be a filter: then only what goes with it tells, or the mark of a known protocol.
        (spelt >= 0.5 && differ >= 0.3) || (verbs >= 0.8 && compounds >= 0.5 && dated && name == "Action")
    } else {
        (spelt >= 0.5 && differ >= 0.3) || verbs >= 0.8
    }
}

/// The parts of an operation key.
fn parts(key: &str) -> impl Iterator<Item = (&str, &str)> {
    let header = key.split_once(": ");
    let query = if header.is_some() { "" } else { key.trim_start_matches('?') };
    header.into_iter().chain(query.split('&').filter_map(|part| part.split_once('=')))
}

/// An operation key with only those parts that separate.
fn reduced(key: &str, separating: &BTreeSet<&str>) -> String {
    if key.contains(": ") {
        return key.to_owned();
    }
    let mut out = String::new();
    for (name, value) in parts(key).filter(|(name, _)| separating.contains(name)) {
        let mark = match (out.is_empty(), key.starts_with('?')) {
            (true, true) => "?",
            (true, false) => "",
            _ => "&",
        };
        out.push_str(mark);
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

/// Does it begin with a verb (`DescribeInstances`, `get_item`, `files.list`, `logout`)? A verb may come last, too, behind dots.
fn is_verb(value: &str) -> bool {
    let mut parts = value.split('.');
    let (first, last) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    [first, last].into_iter().any(|part| VERBS.binary_search(&first_word(part).as_str()).is_ok())
}

/// `DescribeInstances`, `GetMap`, `flickr.photos.search`: several words joined as programs join them.
fn is_compound(value: &str) -> bool {
    let humps = value.as_bytes().windows(2).filter(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase()).count();
    humps > 0 || value.contains('.')
}

fn first_word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        if !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && word.len() > 1) {
            break;
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, safe: bool, total: u64, values: &[(&str, &[&str])]) -> bool {
        let summary = |signature: &[&str]| Summary {
            succeeded: 10,
            signature: signature.iter().map(|s| (*s).to_owned()).collect(),
        };
        let values = values.iter().map(|(value, signature)| (*value, summary(signature))).collect();
        separates(name, &values, total, safe, false)
    }

    #[test]
    fn verbs_are_in_order() {
        assert!(VERBS.is_sorted());
        assert!(["DescribeInstances", "get_item", "Files.list", "list", "logout"].into_iter().all(is_verb));
        assert!(!["dark", "json", "open", "settings", "getaway"].into_iter().filter(|v| *v != "open").any(is_verb));
    }

    #[test]
    fn dispatch_separates() {
        let xml: &[&str] = &["<text/xml"];
        assert!(judged("Action", false, 20, &[("DescribeInstances", xml), ("RunInstances", xml)]));
        assert!(judged("request", true, 20, &[("GetMap", &["<image/png", "?bbox"]), ("GetCapabilities", xml)]));
        assert!(judged(
            "action",
            true,
            30,
            &[("query", &["?list"]), ("parse", &["?page"]), ("opensearch", &["?search"])]
        ));
        assert!(judged("X-Amz-Target", false, 10, &[("DynamoDB_20120810.GetItem", &[])]));
        assert!(judged("api-version", true, 20, &[("2024-01-01", &[]), ("2024-06-01", &[])]));
    }

    #[test]
    fn false_friends_do_not() {
        let json: &[&str] = &["<application/json"];
        assert!(!judged("action", true, 20, &[("login", json), ("logout", json)]), "a filter of what people did");
        assert!(
            !judged("action", true, 60, &[("CreateUser", json), ("DeleteUser", &["?page"])]),
            "mostly asked without"
        );
        assert!(!judged("mode", true, 20, &[("dark", json), ("light", &["<text/css"])]));
        assert!(!judged("method", false, 20, &[("card", json), ("transfer", json)]));
        assert!(!judged("Action", false, 10, &[("DescribeInstances", json)]), "one alone separates nothing");
    }

    #[test]
    fn keys_have_parts() {
        let of = |key| parts(key).collect::<Vec<_>>();
        assert_eq!(of("?api=A.B&method=list"), [("api", "A.B"), ("method", "list")]);
        assert_eq!(of("X-Amz-Target: D_1.Get"), [("X-Amz-Target", "D_1.Get")]);
        assert_eq!(reduced("?api=A.B&mode=x", &["api"].into()), "?api=A.B");
        assert_eq!(reduced("Action=Get", &["Action"].into()), "Action=Get");
        assert_eq!(reduced("?mode=x", &["api"].into()), "");
    }
}
