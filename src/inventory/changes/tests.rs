//! What becomes of templates when evidence turns: the log says it once, ids and counts survive.

use std::collections::BTreeMap;

use super::*;
use crate::base::{InventoryLimits, Ledger, Oddities};
use crate::inventory::{Inventory, Rule, RuleKind};
use crate::observe::{Key, Logged, Watch};

/// A `GET` on `api.example` that was answered with 200, by the second.
fn ask(inventory: &mut Inventory, second: u64, target: &str) {
    Watch::new(inventory, Key::FIXED).logged(&Logged {
        ts: Timestamp(second * 1_000_000_000),
        host: "api.example",
        target,
        status: Some(200),
        response_type: "application/json",
        ..Logged::default()
    });
}

fn new() -> Inventory {
    Inventory::new(InventoryLimits::default())
}

/// As the log says it.
fn told(changes: &[TemplateChange]) -> Vec<String> {
    let list = |all: &[Named]| all.iter().map(|n| n.template.as_str()).collect::<Vec<_>>().join(" ");
    changes
        .iter()
        .map(|c| {
            format!(
                "{} {} {:?} [{}] -> [{}]",
                c.at.0 / 1_000_000_000,
                c.method,
                c.kind,
                list(&c.before),
                list(&c.after)
            )
        })
        .collect()
}

/// Calls and id by template.
fn endpoints(inventory: &Inventory) -> BTreeMap<String, (u64, String)> {
    let view = inventory.view(&Ledger::default(), &Oddities::default());
    view.services.into_iter().flat_map(|s| s.endpoints).map(|e| (e.template, (e.calls, e.id))).collect()
}

fn users(inventory: &mut Inventory, from: u64, n: u64) {
    for i in from..from + n {
        ask(inventory, i, &format!("/users/{}", 100_000 + i));
        ask(inventory, i, &format!("/users/{}/orders", 100_000 + i));
    }
}

/// What a store would hold.
type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn keep(records: &mut Records, inventory: &mut Inventory) {
    for change in inventory.take_changes() {
        match change.value {
            Some(value) => drop(records.insert(change.key, value)),
            None => drop(records.remove(&change.key)),
        }
    }
}

fn restored(records: &Records) -> Inventory {
    let all = records.iter().map(|(key, value)| (key.clone(), value.clone()));
    Inventory::restore(InventoryLimits::default(), all).expect("whole")
}

fn log(inventory: &Inventory) -> Vec<TemplateChange> {
    inventory.history().map(|(_, change)| change.clone()).collect()
}

#[test]
fn a_word_that_shows_itself_later_appears_and_changes_nothing_else() {
    let mut inventory = new();
    users(&mut inventory, 1, 30);
    assert_eq!(
        told(&inventory.relearn_all()),
        ["1 GET Appeared [] -> [/users/{userId}]", "1 GET Appeared [] -> [/users/{userId}/orders]"]
    );
    assert!(inventory.relearn_all().is_empty());
    let before = endpoints(&inventory);
    ask(&mut inventory, 99, "/users/me");
    assert_eq!(told(&inventory.relearn_all()), ["99 GET Appeared [] -> [/users/me]"]);
    let mut after = endpoints(&inventory);
    assert_eq!(after.remove("/users/me").map(|(calls, _)| calls), Some(1));
    assert_eq!(after, before);
}

#[test]
fn a_parameter_that_turns_out_to_be_three_words_is_split_and_can_be_folded_again() {
    let mut inventory = new();
    let words = ["alpha", "beta", "gamma"];
    for (i, word) in (1..).zip(words) {
        (0..10).for_each(|_| ask(&mut inventory, i, &format!("/queues/{word}")));
    }
    users(&mut inventory, 10, 5);
    // People know better than three words tell; then they change their minds: evidence, as far as the log is concerned.
    let rule = |kind| words.map(|w| Rule::new("", &format!("/queues/{w}"), kind).expect("a rule")).to_vec();
    inventory.set_rules(rule(RuleKind::Parameter));
    inventory.relearn_all();
    let folded = endpoints(&inventory);
    let id = folded["/queues/{queueId}"].1.clone();
    assert_eq!(folded["/queues/{queueId}"].0, 30);

    inventory.set_rules(rule(RuleKind::Literal));
    let split = inventory.relearn_all();
    assert_eq!(told(&split), ["14 GET Split [/queues/{queueId}] -> [/queues/alpha /queues/beta /queues/gamma]"]);
    assert_eq!(
        (split[0].subject.as_str(), split[0].reason.as_str()),
        (id.as_str(), "a rule of the configuration says so")
    );
    let three = endpoints(&inventory);
    assert_eq!(words.map(|w| three[&format!("/queues/{w}")].0), [10; 3]);
    assert_eq!(three["/queues/alpha"].1, id, "the oldest keeps the id");
    assert_eq!(three.values().map(|v| v.0).sum::<u64>(), folded.values().map(|v| v.0).sum::<u64>());

    inventory.set_rules(rule(RuleKind::Parameter));
    let again = inventory.relearn_all();
    assert_eq!(
        told(&again),
        ["14 GET Folded [/queues/alpha /queues/beta /queues/gamma] -> [/queues/{queueId}]"].map(str::to_owned).to_vec()
    );
    assert_eq!(endpoints(&inventory), folded, "folded, split and folded again it is what it was");
    // The ids that were given up meanwhile are the same ones that come back.
    inventory.set_rules(rule(RuleKind::Literal));
    inventory.relearn_all();
    assert_eq!(endpoints(&inventory), three);
}

#[test]
fn words_that_turn_out_to_be_values_are_folded_with_a_reason_and_keep_their_history() {
    let mut inventory = new();
    ask(&mut inventory, 1, "/v1/repos/acme/builds");
    users(&mut inventory, 2, 20);
    inventory.relearn_all();
    let first = endpoints(&inventory)["/v1/repos/acme/builds"].1.clone();
    for (i, name) in
        (50..).zip(["initech", "hooli", "globex", "umbrella", "stark", "wayne", "wonka", "cyberdyne", "tyrell"])
    {
        ask(&mut inventory, i, &format!("/v1/repos/{name}/builds"));
        ask(&mut inventory, i, &format!("/v1/repos/{name}"));
        ask(&mut inventory, i, &format!("/v1/repos/{name}/issues"));
    }
    let changes = inventory.relearn_all();
    let fold = changes.iter().find(|c| c.kind == ChangeKind::Folded).expect("a fold");
    assert_eq!(
        told(std::slice::from_ref(fold)),
        ["58 GET Folded [/v1/repos/acme/builds] -> [/v1/repos/{repoId}/builds]"]
    );
    assert!(fold.reason.contains("below each"), "{}", fold.reason);
    assert!(fold.confidence.is_some_and(|c| c > 0.5));
    assert_eq!(endpoints(&inventory)["/v1/repos/{repoId}/builds"], (10, first), "the id of its first exchange");
}

#[test]
fn a_restart_neither_loses_nor_doubles_an_entry() {
    let mut records = Records::new();
    let mut inventory = new();
    users(&mut inventory, 1, 30);
    inventory.relearn_all();
    keep(&mut records, &mut inventory);
    // Killed before it learnt again: what was counted is on disk, what it means is not.
    ask(&mut inventory, 99, "/users/me");
    keep(&mut records, &mut inventory);
    let mut inventory = restored(&records);
    assert_eq!(log(&inventory).len(), 2);
    assert_eq!(told(&inventory.relearn_all()), ["99 GET Appeared [] -> [/users/me]"]);
    keep(&mut records, &mut inventory);
    // Ended in order: nothing is new.
    let mut inventory = restored(&records);
    assert_eq!(log(&inventory).len(), 3);
    assert!(inventory.relearn_all().is_empty());
    assert_eq!(inventory.take_changes().len(), 0, "what is the same is not written again");
    let numbers: Vec<_> = inventory.history().map(|(number, _)| number).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn a_store_from_before_there_was_a_log_begins_one_with_what_it_has() {
    let (mut records, mut inventory) = (Records::new(), new());
    users(&mut inventory, 1, 30);
    keep(&mut records, &mut inventory);
    let mut inventory = restored(&records);
    assert!(inventory.relearn_all().is_empty());
    ask(&mut inventory, 99, "/users/me");
    assert_eq!(told(&inventory.relearn_all()), ["99 GET Appeared [] -> [/users/me]"]);
}

#[test]
fn the_log_is_bounded_and_so_is_what_one_learning_adds() {
    let limits = InventoryLimits { template_changes: 20, ..InventoryLimits::default() };
    let mut inventory = Inventory::new(limits);
    // Whatever a model may think of fifty versions.
    inventory.set_rules(vec![Rule::new("", "/*", RuleKind::Literal).expect("a rule")]);
    let mut records = Records::new();
    for round in 0..50 {
        ask(&mut inventory, round + 1, &format!("/v{round}/status"));
        inventory.relearn_all();
        keep(&mut records, &mut inventory);
    }
    let first = inventory.history().map(|(number, _)| number).next().expect("entries");
    assert_eq!(inventory.history().count(), 20);
    assert_eq!(log(&restored(&records)), log(&inventory));
    assert_eq!(restored(&records).history().next().map(|(number, _)| number), Some(first));
    // Many at once are told as many.
    let mut inventory = new();
    for n in 0..300 {
        let word: String = [n / 100, n / 10 % 10, n % 10]
            .iter()
            .map(|d| ["ka", "lo", "mi", "nu", "re", "so", "ti", "va", "we", "zo"][*d as usize])
            .collect();
        ask(&mut inventory, n, &format!("/v1/{word}{}", ["", "/list"][n as usize % 2]));
    }
    let changes = inventory.relearn_all();
    assert_eq!(
        changes.len() as u64 + changes.iter().map(|c| c.left_out).sum::<u64>(),
        endpoints(&inventory).len() as u64
    );
    assert!(changes.len() <= OF_A_KIND);
}

#[test]
fn only_what_changed_is_judged_again() {
    let mut inventory = new();
    users(&mut inventory, 1, 30);
    assert_eq!(inventory.relearn(|| false).services, 1);
    assert_eq!(inventory.relearn(|| false).services, 0);
    // Known paths, a few times more: nothing that could be judged otherwise.
    users(&mut inventory, 1, 5);
    assert_eq!(inventory.relearn(|| false).services, 0);
    ask(&mut inventory, 50, "/users/me");
    assert_eq!(inventory.relearn(|| false).services, 1);
    users(&mut inventory, 1, 80);
    assert_eq!(inventory.relearn(|| false).services, 1, "shares and counts are judged, too");
    assert_eq!(inventory.relearn(|| true).left, 0);
}

#[test]
fn what_is_judged_to_and_fro_is_told_only_once_it_has_held() {
    let mut inventory = new();
    users(&mut inventory, 1, 200);
    let words = ["alpha", "beta", "gamma"];
    words.iter().for_each(|word| ask(&mut inventory, 300, &format!("/queues/{word}")));
    let rule = |kind| words.map(|w| Rule::new("", &format!("/queues/{w}"), kind).expect("a rule")).to_vec();
    let judged = |inventory: &mut Inventory, kind| {
        inventory.set_rules(rule(kind));
        inventory.services[0].kept = None;
        told(&inventory.relearn(|| false).changes)
    };
    assert_eq!(judged(&mut inventory, RuleKind::Parameter).len(), 3);
    for kind in [RuleKind::Literal, RuleKind::Parameter, RuleKind::Literal, RuleKind::Literal] {
        assert!(judged(&mut inventory, kind).is_empty(), "nothing new was seen since");
    }
    users(&mut inventory, 1, 40);
    assert!(judged(&mut inventory, RuleKind::Literal).is_empty(), "a fifth more");
    users(&mut inventory, 1, 20);
    let split = ["300 GET Split [/queues/{queueId}] -> [/queues/alpha /queues/beta /queues/gamma]"];
    assert_eq!(judged(&mut inventory, RuleKind::Literal), split);
    assert!(judged(&mut inventory, RuleKind::Literal).is_empty(), "told once");
    // New ones are told at once, and doubts are none where there is twice as much to go by.
    ask(&mut inventory, 400, "/status");
    assert_eq!(judged(&mut inventory, RuleKind::Literal), ["400 GET Appeared [] -> [/status]"]);
    users(&mut inventory, 1, 300);
    assert_eq!(judged(&mut inventory, RuleKind::Parameter).len(), 1);
}
