//! Groups of services.

use super::*;
use crate::inventory::learn::Piece;
use crate::observe::Scheme;

const SHOP: [&str; 6] =
    ["/v1/orders", "/v1/orders/{}", "/v1/products", "/v1/products/{}", "/v1/carts/{}/items", "/health"];

fn portrait(host: &str, port: u16, addresses: &[&str], calls: u64, templates: &[&str]) -> Portrait {
    let addresses: Vec<_> = addresses.iter().map(|a| a.parse().unwrap()).collect();
    let mut portrait = Portrait::new(Scheme::Http, host, port, &addresses, calls);
    for template in templates {
        let pieces: Vec<_> = template
            .split('/')
            .skip(1)
            .map(|s| if s == "{}" { Piece::Parameter } else { Piece::Literal(s.to_owned()) })
            .collect();
        portrait.note("GET ", &pieces, std::iter::once("application/json".to_owned()));
    }
    portrait
}

fn shop(host: &str) -> Portrait {
    portrait(host, 80, &[], 100, &SHOP)
}

fn hosts(portraits: Vec<Portrait>, rules: &[Rule]) -> Vec<(String, Vec<usize>)> {
    let groups = group(portraits, rules);
    groups.into_iter().map(|g| (g.host, g.members)).collect()
}

#[test]
fn tenants_are_one_api_and_siblings_are_not() {
    let tenants = vec![shop("tenant-1.example.com"), shop("tenant-17.example.com"), shop("tenant-4.example.com")];
    assert_eq!(hosts(tenants, &[]), [("{tenant}.example.com".to_owned(), vec![0, 1, 2])]);
    let words = vec![shop("acme.example.com"), shop("globex.example.com")];
    assert_eq!(hosts(words, &[]), [("{tenant}.example.com".to_owned(), vec![0, 1])]);
    let billing = ["/v1/invoices", "/v1/invoices/{}", "/v1/payments", "/login", "/health"];
    let users = ["/v1/users", "/v1/users/{}", "/v1/groups", "/login", "/health"];
    let siblings = || {
        vec![
            portrait("billing.example.com", 80, &["10.0.0.1"], 100, &billing),
            portrait("users.example.com", 80, &["10.0.0.1"], 100, &users),
        ]
    };
    assert_eq!(hosts(siblings(), &[]), []);
    // What every API has is no sign, however much of it there is.
    let common = ["/login", "/health", "/metrics", "/v1/status", "/api/v1/version"];
    let alike = vec![portrait("a1.example.com", 80, &[], 9, &common), portrait("a2.example.com", 80, &[], 9, &common)];
    assert_eq!(hosts(alike, &[]), []);
}

#[test]
fn regions_deployments_addresses_and_ports() {
    let regions = vec![shop("eu-west-1.api.example.com"), shop("us-east-2.api.example.com")];
    assert_eq!(hosts(regions, &[]), [("{region}.api.example.com".to_owned(), vec![0, 1])]);
    let deployments = vec![shop("shop-blue.local"), shop("shop-green.local")];
    assert_eq!(hosts(deployments, &[])[0].1, [0, 1]);
    let at = |host: &str, port| portrait(host, port, &[host], 100, &SHOP);
    assert_eq!(hosts(vec![at("10.0.0.5", 8080), at("10.0.0.6", 8080)], &[]), [("{address}".to_owned(), vec![0, 1])]);
    assert_eq!(hosts(vec![at("10.0.0.5", 8080), at("10.0.0.5", 8081)], &[]), [("10.0.0.5".to_owned(), vec![0, 1])]);
    let named = portrait("api.example.com", 8080, &["10.0.0.5"], 100, &SHOP);
    let probe = portrait("10.0.0.5", 8080, &["10.0.0.5"], 3, &SHOP[..2]);
    assert_eq!(hosts(vec![named, probe], &[]), [("api.example.com".to_owned(), vec![0, 1])]);
    let twice = ["acme", "globex"].iter().flat_map(|t| ["eu", "us"].map(|r| shop(&format!("{t}.{r}.example.com"))));
    assert_eq!(hosts(twice.collect(), &[]), [("{tenant}.{region}.example.com".to_owned(), vec![0, 1, 2, 3])]);
}

#[test]
fn environments_and_strangers_stay_apart() {
    assert_eq!(hosts(vec![shop("staging.example.com"), shop("api.example.com")], &[]), []);
    assert_eq!(hosts(vec![shop("shop.example.co.uk"), shop("shop.other.co.uk")], &[]), []);
    assert_eq!(hosts(vec![shop("a.co.uk"), shop("b.co.uk")], &[]), []);
}

#[test]
fn who_asked_little_borrows_only_from_a_group_that_is_known() {
    let rare = |host: &str, path: &str| portrait(host, 80, &[], 1, &[path]);
    let few = vec![shop("tenant-1.example.com"), rare("tenant-2.example.com", "/v1/orders/{}")];
    assert_eq!(hosts(few, &[]), []);
    let many = |path| {
        let mut all: Vec<_> = (1..=3).map(|n| shop(&format!("tenant-{n}.example.com"))).collect();
        all.push(rare("tenant-9.example.com", path));
        hosts(all, &[])[0].1.len()
    };
    assert_eq!((many("/v1/orders/4711"), many("/v1/secrets"), many("/health")), (4, 3, 3));
}

#[test]
fn people_decide() {
    let rule = |host: &str, kind| vec![Rule::new(host, "/", kind).unwrap()];
    let apart = rule("tenant-*.example.com", RuleKind::Apart);
    assert_eq!(hosts(vec![shop("tenant-1.example.com"), shop("tenant-2.example.com")], &apart), []);
    let one = rule("*.example.com", RuleKind::OneApi);
    let different = vec![shop("a.example.com"), portrait("b.example.com", 80, &[], 1, &["/x"])];
    let groups = group(different, &one);
    assert_eq!((groups[0].members.as_slice(), groups[0].because.as_str()), ([0, 1].as_slice(), "a rule says so"));
}

#[test]
fn the_order_of_services_does_not_matter() {
    let mut all: Vec<_> =
        (0..8).map(|n| portrait(&format!("t{n}.example.com"), 80, &[], n, &SHOP[..2 + n as usize % 4])).collect();
    all.push(shop("admin.example.com"));
    let names = |all: &[Portrait], groups: Vec<Group>| -> Vec<Vec<String>> {
        let mut out: Vec<Vec<String>> =
            groups.iter().map(|g| g.members.iter().map(|m| all[*m].host.clone()).collect()).collect();
        out.iter_mut().for_each(|g: &mut Vec<String>| g.sort());
        out.sort();
        out
    };
    let before = names(&all, group(all.clone(), &[]));
    all.reverse();
    assert_eq!(before, names(&all, group(all.clone(), &[])));
}
