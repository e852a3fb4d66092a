//! What a judgement rests on.
//!
//! Takes the words of one place, gives a row of numbers for each. The one definition of the features: the program that trains
//! reads the same rows (`shadowtap templates features`). What each is for stands in `docs/templates.md`. Never depends on an order
//! of arrival, nor on anything but counts, names and the words themselves.

use std::collections::{BTreeSet, HashMap};

use super::child::Child;
use super::evidence::Evidence;
use super::forest::{Model, ROW};
use super::place::{First, Host, Parent, Place};
use super::spread::{Spread, Spreads};

/// What features are made of.
pub(super) struct Source<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) host: &'a Host,
    pub(super) model: &'a Model,
}

/// A row while it is filled.
#[derive(Debug)]
pub(super) struct Row {
    values: [f32; ROW],
    filled: usize,
    /// Names of the values, where they are asked for.
    names: Option<Vec<&'static str>>,
}

impl Row {
    fn new(named: bool) -> Self {
        Self { values: [0.0; ROW], filled: 0, names: named.then(Vec::new) }
    }

    #[inline]
    fn put(&mut self, name: &'static str, value: f32) {
        if let Some(place) = self.values.get_mut(self.filled) {
            *place = value;
            self.filled += 1;
        }
        if let Some(names) = &mut self.names {
            names.push(name);
        }
    }

    /// The values, and zeros behind them.
    pub(super) fn values(&self) -> &[f32; ROW] {
        &self.values
    }

    /// The values alone.
    pub(super) fn filled(&self) -> &[f32] {
        &self.values[..self.filled]
    }

    pub(super) fn names(&self) -> &[&'static str] {
        self.names.as_deref().unwrap_or_default()
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.put(name, f32::from(u8::from(value)));
    }
}

fn ln(x: f32) -> f32 {
    x.ln_1p()
}

/// What follows the number of a version that is not out yet, or only for some.
const STAGES: [&str; 7] = ["alpha", "beta", "rc", "p", "pre", "preview", "dev"];

/// `v1`, `V2.1`, `2.0`, `v2beta1`, `v1p1alpha`; no bare number.
pub(super) fn is_version(word: &str) -> bool {
    let rest = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, stage) = rest.split_at(number);
    let mut stages = stage.split(|c: char| c.is_ascii_digit()).filter(|s| !s.is_empty());
    let marked = rest.len() < word.len();
    number.starts_with(|c: char| c.is_ascii_digit())
        && !number.ends_with('.')
        && word.len() <= 12
        && (marked || (number.contains('.') && stage.is_empty()))
        && stages.all(|s| STAGES.iter().any(|known| known.eq_ignore_ascii_case(s)))
}

pub(super) fn is_plural(word: &str) -> bool {
    let w = word.to_ascii_lowercase();
    w.len() > 2 && w.ends_with('s') && !w.ends_with("ss") && !w.ends_with("us") && !w.ends_with("is")
}

/// The words that a name is made of, lower case.
fn parts(name: &str) -> Vec<String> {
    let (mut out, mut word, mut lower) = (Vec::new(), String::new(), false);
    for c in name.chars() {
        if (!c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && lower)) && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        lower = c.is_ascii_lowercase();
        if c.is_ascii_alphabetic() {
            word.push(c.to_ascii_lowercase());
        }
    }
    out.extend((!word.is_empty()).then_some(word));
    out
}

/// The look of a word: runs of small and capital letters and of digits, and what joins them.
fn look(word: &str) -> u64 {
    let (mut look, mut last) = (7u64, 0);
    for b in word.bytes() {
        let class = match b {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            b'0'..=b'9' => 3,
            other => u64::from(other),
        };
        if class != last {
            look = look.wrapping_mul(31).wrapping_add(class);
            last = class;
        }
    }
    look
}

/// How alike two sets are: -1 where both are empty.
fn alike(a: &BTreeSet<u32>, b: &BTreeSet<u32>) -> f32 {
    if a.is_empty() && b.is_empty() {
        return -1.0;
    }
    let both = a.intersection(b).count() as f32;
    both / (a.len() as f32 + b.len() as f32 - both)
}

fn bits(methods: u32) -> BTreeSet<u32> {
    (0..16).filter(|i| methods >> i & 1 == 1).collect()
}

/// In how many of some sets each thing is.
struct Shared {
    sets: HashMap<u32, u32>,
    filled: f32,
}

impl Shared {
    fn of<'s>(sets: impl Iterator<Item = &'s BTreeSet<u32>>) -> Self {
        let mut shared = Self { sets: HashMap::new(), filled: 0.0 };
        for set in sets {
            shared.filled += f32::from(u8::from(!set.is_empty()));
            set.iter().for_each(|t| *shared.sets.entry(*t).or_default() += 1);
        }
        shared
    }

    /// Of one of the sets against the others: share of its things that another has; mean share of the others that have each;
    /// share of what half of the others have that it has; how many it shares.
    fn against(&self, set: &BTreeSet<u32>) -> [f32; 4] {
        let others = self.filled - f32::from(u8::from(!set.is_empty()));
        if set.is_empty() || others < 1.0 {
            return [-1.0, if others < 1.0 { -1.0 } else { 0.0 }, -1.0, 0.0];
        }
        let (mut shared, mut sum, mut mine) = (0.0, 0.0, 0.0);
        for thing in set {
            let elsewhere = self.sets.get(thing).map_or(0.0, |n| *n as f32 - 1.0);
            shared += f32::from(u8::from(elsewhere > 0.0));
            sum += elsewhere / others;
            mine += f32::from(u8::from(elsewhere * 2.0 >= others));
        }
        let is_common = |(t, n): &(&u32, &u32)| (**n as f32 - f32::from(u8::from(set.contains(t)))) * 2.0 >= others;
        let common = self.sets.iter().filter(is_common).count() as f32;
        let size = set.len() as f32;
        [shared / size, sum / size, if common > 0.0 { mine / common } else { -1.0 }, shared]
    }
}

/// What is the same for all words of a place.
struct Siblings {
    n: f32,
    total: f32,
    median: f32,
    looks: HashMap<u64, f32>,
    calls: Vec<u64>,
    known: Vec<[f32; 3]>,
    parents: f32,
    methods: Vec<BTreeSet<u32>>,
    below: Vec<BTreeSet<u32>>,
    shared: [Shared; 8],
    /// For each word how far it is apart from the others: one and two levels below, by methods.
    apart: Vec<[f32; 6]>,
    depths: f32,
}

impl Siblings {
    fn new(source: &Source<'_>, children: &[Child]) -> Self {
        let mut lengths: Vec<usize> = children.iter().map(|c| c.text.len()).collect();
        lengths.sort_unstable();
        let mut looks = HashMap::<u64, f32>::new();
        children.iter().for_each(|c| *looks.entry(look(&c.text)).or_default() += 1.0);
        let mut calls: Vec<u64> = children.iter().map(|c| c.calls).collect();
        calls.sort_unstable_by(|a, b| b.cmp(a));
        let methods: Vec<_> = children.iter().map(|c| bits(c.methods)).collect();
        let below: Vec<_> = children.iter().map(|c| bits(c.below)).collect();
        let shared = [
            Shared::of(methods.iter()),
            Shared::of(below.iter()),
            Shared::of(children.iter().map(|c| &c.responses)),
            Shared::of(children.iter().map(|c| &c.requests)),
            Shared::of(children.iter().map(|c| &c.query)),
            Shared::of(children.iter().map(|c| &c.next[0])),
            Shared::of(children.iter().map(|c| &c.next[1])),
            Shared::of(children.iter().map(|c| &c.next[2])),
        ];
        let spreads = [
            Spreads::of(children.iter().map(|c| &c.calls_below[0])),
            Spreads::of(children.iter().map(|c| &c.calls_below[1])),
            Spreads::of(children.iter().map(|c| &c.calls_by_method)),
        ];
        let apart = |c: &Child| {
            let own = [&c.calls_below[0], &c.calls_below[1], &c.calls_by_method];
            let mut out = [-1.0; 6];
            for ((out, all), own) in out.chunks_exact_mut(2).zip(&spreads).zip(own) {
                out.copy_from_slice(&all.apart(own, true));
            }
            out
        };
        Self {
            apart: children.iter().map(apart).collect(),
            depths: children.iter().map(|c| source.host.depths(c.token)).sum(),
            n: children.len() as f32,
            total: children.iter().map(|c| c.calls as f32).sum(),
            median: lengths.get(lengths.len() / 2).copied().unwrap_or_default() as f32,
            looks,
            calls,
            known: children.iter().map(|c| source.model.word(&c.text.to_ascii_lowercase())).collect(),
            parents: children.iter().map(|c| ln(source.host.parents(c.token))).sum(),
            methods,
            below,
            shared,
        }
    }

    fn share(&self, children: &[Child], which: impl Fn(&Child) -> bool) -> f32 {
        children.iter().filter(|c| which(c)).count() as f32 / self.n
    }
}

/// A row for each word of a place. `value`: what stands beside them as values by form; `first`: what the first pass thought,
/// and what it thinks of these words.
pub(super) fn rows(
    source: &Source<'_>,
    place: &Place,
    children: &[Child],
    value: Option<&Child>,
    named: bool,
) -> Vec<Row> {
    let siblings = Siblings::new(source, children);
    let mut rows = Vec::with_capacity(children.len());
    for (i, child) in children.iter().enumerate() {
        let mut row = Row::new(named);
        of_text(&mut row, &siblings, child);
        of_place(&mut row, source, place, &siblings, children, value);
        of_counts(&mut row, place, &siblings, child);
        of_overlaps(&mut row, &siblings, i, child);
        of_spread(&mut row, &siblings, i, children);
        of_values(&mut row, &siblings, i, child, value);
        of_parent(&mut row, source, place);
        of_host(&mut row, source, place, &siblings, child);
        of_vocabulary(&mut row, source, place, &siblings, i, child);
        rows.push(row);
    }
    rows
}

/// Adds what the second pass also knows: what the first thought of the same words, here and elsewhere.
pub(super) fn add_first(rows: &mut [Row], first: &First, thoughts: &[f32], place: &Place, children: &[Child]) {
    for (i, row) in rows.iter_mut().enumerate() {
        of_first(row, first, thoughts, place, children, i);
    }
}

fn of_text(row: &mut Row, siblings: &Siblings, child: &Child) {
    let text = child.text.as_bytes();
    let count = |which: fn(&u8) -> bool| text.iter().filter(|b| which(b)).count() as f32;
    row.put("kind", f32::from(child.kind));
    row.put("len", text.len() as f32);
    row.put("digits", count(u8::is_ascii_digit));
    row.put("seps", count(|b| !b.is_ascii_alphanumeric()));
    row.put("uppers", count(u8::is_ascii_uppercase));
    row.flag("first_upper", text.first().is_some_and(u8::is_ascii_uppercase));
    row.put("dots", count(|b| *b == b'.'));
    row.put("unders", count(|b| *b == b'_'));
    row.flag("version", is_version(&child.text));
    row.flag("plural", is_plural(&child.text));
    row.flag("odd_start", text.first().is_some_and(|b| !b.is_ascii_alphanumeric()));
    row.put("len_dev", (text.len() as f32 - siblings.median).abs());
    let same = siblings.looks.get(&look(&child.text)).copied().unwrap_or(1.0);
    row.put("pattern_share", (same - 1.0) / (siblings.n - 1.0).max(1.0));
    row.put("patterns", siblings.looks.len() as f32 / siblings.n);
}

fn of_place(
    row: &mut Row,
    source: &Source<'_>,
    place: &Place,
    siblings: &Siblings,
    children: &[Child],
    value: Option<&Child>,
) {
    let (n, total) = (siblings.n, siblings.total);
    let value_calls = value.map_or(0.0, |v| v.calls as f32);
    let size = place.size as f32;
    let spread: f32 = children.iter().map(|c| c.nodes.len() as f32).sum();
    let entropy: f32 =
        children.iter().map(|c| c.calls as f32 / total.max(1.0)).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    row.put("n", n);
    row.put("ln_total", ln(total));
    row.put("slug_share", siblings.share(children, |c| c.kind == 1));
    row.put("int_share", siblings.share(children, |c| c.kind == 2));
    row.flag("has_value", value.is_some());
    row.put("value_share", value_calls / (value_calls + total));
    row.put("ln_vcalls", ln(value_calls));
    row.put("distinct_ratio", n / total.max(1.0));
    row.put("single_share", siblings.share(children, |c| c.calls == 1));
    row.put("le3_share", siblings.share(children, |c| c.calls <= 3));
    row.put("max_share", siblings.calls.first().copied().unwrap_or_default() as f32 / total.max(1.0));
    row.put("entropy", if n > 1.0 { entropy / n.ln() } else { 0.0 });
    row.put("inner_share", siblings.share(children, |c| c.height > 0));
    row.put("leaf_share", siblings.share(children, |c| c.here > 0));
    row.put("vbelow_share", siblings.share(children, |c| c.values_below > 0));
    row.put("host_share", (total + value_calls) / (source.host.calls as f32).max(1.0));
    row.put("ln_size", ln(size));
    row.put("spread_mean", spread / n);
    row.put("spread_mean_share", spread / n / size);
    row.put("new_rate", n / size);
}

fn of_counts(row: &mut Row, place: &Place, siblings: &Siblings, child: &Child) {
    let calls = child.calls as f32;
    let nodes = child.nodes.len() as f32;
    row.put("ln_calls", ln(calls));
    row.put("calls_share", calls / siblings.total.max(1.0));
    row.put("calls_rel", calls * siblings.n / siblings.total.max(1.0));
    row.put("rank", siblings.calls.partition_point(|c| *c > child.calls) as f32 / siblings.n);
    row.put("here", ln(child.here as f32));
    row.put("height", child.height as f32);
    row.flag("is_leaf", child.here > 0);
    row.flag("vbelow", child.values_below > 0);
    row.put("vbelow_n", child.values_below as f32 / nodes);
    row.put("here_share", child.here as f32 / calls.max(1.0));
    row.put("next1_n", child.next[0].len() as f32);
    row.put("next2_n", child.next[1].len() as f32);
    row.put("next3_n", child.next[2].len() as f32);
    row.put("nodes", nodes);
    row.put("nodes_share", nodes / place.size as f32);
    row.put("nodes_per_call", nodes / calls.max(1.0));
    row.put("methods", (child.methods & 31) as f32);
    row.put("method_n", child.methods.count_ones() as f32);
    row.put("get", (child.methods & 1) as f32);
    row.put("post", (child.methods >> 1 & 1) as f32);
    row.put("del", (child.methods >> 4 & 1) as f32);
    row.put("put", (child.methods >> 2 & 1) as f32);
}

fn of_overlaps(row: &mut Row, siblings: &Siblings, i: usize, child: &Child) {
    const NAMES: [[&str; 4]; 8] = [
        ["m_shared", "m_df", "m_cover", ""],
        ["b_shared", "b_df", "b_cover", ""],
        ["r_shared", "r_df", "r_cover", ""],
        ["q_shared", "q_df", "q_cover", ""],
        ["y_shared", "y_df", "y_cover", "y_n"],
        ["n1_shared", "n1_df", "n1_cover", "n1_n"],
        ["n2_shared", "n2_df", "n2_cover", "n2_n"],
        ["n3_shared", "n3_df", "n3_cover", "n3_n"],
    ];
    let [next1, next2, next3] = &child.next;
    let sets = [
        &siblings.methods[i],
        &siblings.below[i],
        &child.responses,
        &child.requests,
        &child.query,
        next1,
        next2,
        next3,
    ];
    for ((names, shared), set) in NAMES.iter().zip(&siblings.shared).zip(sets) {
        for (name, value) in names.iter().zip(shared.against(set)).filter(|(name, _)| !name.is_empty()) {
            row.put(name, value);
        }
    }
    row.put("query_n", child.query.len() as f32);
}

fn of_spread(row: &mut Row, siblings: &Siblings, i: usize, children: &[Child]) {
    const NAMES: [&str; 6] = ["j1", "g1", "j2", "g2", "jm", "gm"];
    const MEANS: [&str; 6] = ["j1_mean", "g1_mean", "j2_mean", "g2_mean", "jm_mean", "gm_mean"];
    for (name, value) in NAMES.iter().zip(siblings.apart[i]) {
        row.put(name, value);
    }
    for (at, name) in MEANS.iter().enumerate() {
        let (sum, calls) = siblings
            .apart
            .iter()
            .zip(children)
            .filter(|(apart, _)| apart[at] >= 0.0)
            .fold((0.0, 0.0), |(sum, all), (apart, c)| (sum + apart[at] * c.calls as f32, all + c.calls as f32));
        row.put(name, if calls > 0.0 { sum / calls } else { -1.0 });
    }
}

fn of_values(row: &mut Row, siblings: &Siblings, i: usize, child: &Child, value: Option<&Child>) {
    let missing = Child::default();
    let v = value.unwrap_or(&missing);
    let mut put = |name, x| row.put(name, if value.is_some() { x } else { -2.0 });
    put("v_next1", alike(&child.next[0], &v.next[0]));
    put("v_next2", alike(&child.next[1], &v.next[1]));
    put("v_in1", child.next[0].intersection(&v.next[0]).count() as f32 / child.next[0].len().max(1) as f32);
    put("v_methods", alike(&siblings.methods[i], &bits(v.methods)));
    put("v_new_methods", (child.methods & !v.methods).count_ones() as f32);
    put("v_below", alike(&siblings.below[i], &bits(v.below)));
    put("v_resp", alike(&child.responses, &v.responses));
    put("v_query", alike(&child.query, &v.query));
    put("v_height", v.height as f32 - child.height as f32);
    let words = |set: &BTreeSet<u32>| set.iter().filter(|t| **t != 0).count() as f32;
    let part = |of: f32, all: f32| if all > 0.0 { of / all } else { -1.0 };
    let both = |level: usize| child.next[level].intersection(&v.next[level]).filter(|t| **t != 0).count() as f32;
    put("v_words1", part(both(0), words(&child.next[0])));
    put("v_cover1", part(both(0), words(&v.next[0])));
    put("v_words2", part(both(1), words(&child.next[1])));
    put("v_cover2", part(both(1), words(&v.next[1])));
    put("v_calls", ln(child.calls as f32) - ln(v.calls as f32));
    let spread = |own: &Spread, theirs: &Spread| match value {
        Some(_) => Spreads::of(std::iter::once(theirs)).apart(own, false),
        None => [-2.0; 2],
    };
    for (names, own, theirs) in [
        (["v_j1", "v_g1"], &child.calls_below[0], &v.calls_below[0]),
        (["v_j2", "v_g2"], &child.calls_below[1], &v.calls_below[1]),
        (["v_jm", "v_gm"], &child.calls_by_method, &v.calls_by_method),
    ] {
        for (name, x) in names.into_iter().zip(spread(own, theirs)) {
            put(name, x);
        }
    }
}

fn word_before<'s>(source: &'s Source<'_>, parent: Parent) -> &'s str {
    match parent {
        Parent::Literal(token) => source.evidence.tokens.get(token as usize).map_or("", String::as_str),
        _ => "",
    }
}

fn of_parent(row: &mut Row, source: &Source<'_>, place: &Place) {
    let (parent, before) = (word_before(source, place.parent), word_before(source, place.before));
    row.flag("p_root", place.parent == Parent::Root);
    row.flag("p_param", place.parent == Parent::Parameter);
    row.flag("p_version", is_version(parent));
    row.flag("p_plural", is_plural(parent));
    row.put("depth", place.depth as f32);
    row.put("since", place.since as f32);
    row.put("params", place.parameters as f32);
    row.flag("before_param", place.before == Parent::Parameter);
    row.flag("before_plural", is_plural(before));
    row.flag("listed", place.methods > 0);
    row.put("listed_get", (place.methods & 1) as f32);
    row.put("listed_post", (place.methods >> 1 & 1) as f32);
    row.put("listed_ln", ln(place.calls as f32));
    let parents = if let Parent::Literal(token) = place.parent { source.host.parents(token) } else { 0.0 };
    row.put("p_parents", parents);
}

fn of_host(row: &mut Row, source: &Source<'_>, place: &Place, siblings: &Siblings, child: &Child) {
    let parents = source.host.parents(child.token);
    row.put("parents", parents);
    row.put("nodes_elsewhere", source.host.nodes(child.token) - child.nodes.len() as f32);
    row.put("parents_mean", (siblings.parents - ln(parents)) / (siblings.n - 1.0).max(1.0));
    row.put("host_calls", ln(source.host.calls as f32));
    let depths = source.host.depths(child.token);
    row.put("depths", depths);
    row.put("depths_mean", (siblings.depths - depths) / (siblings.n - 1.0).max(1.0));
    let deeper: f32 = child.next[0].iter().filter(|t| **t != 0).map(|t| source.host.depths(*t)).sum();
    let words = child.next[0].iter().filter(|t| **t != 0).count() as f32;
    row.put("depths_below", if words > 0.0 { deeper / words } else { -1.0 });
    let (family, nodes, calls) = match place.parent {
        Parent::Literal(parent) => source.host.family(parent, child.token),
        _ => Default::default(),
    };
    row.put("f_nodes", ln(family.nodes));
    row.put("f_words", family.words);
    row.put("f_once", if family.words > 0.0 { family.once / family.words } else { -1.0 });
    row.put("f_share", if family.nodes > 0.0 { nodes / family.nodes } else { -1.0 });
    row.put("f_calls", ln(calls));
}

fn of_vocabulary(row: &mut Row, source: &Source<'_>, place: &Place, siblings: &Siblings, i: usize, child: &Child) {
    let model = source.model;
    let [seen, parameter, _] = siblings.known[i];
    row.put("voc", ln(seen));
    row.put("voc_param", if seen > 0.0 { parameter / seen } else { -1.0 });
    let parts_of = parts(&child.text);
    let known: Vec<f32> = parts_of.iter().map(|p| model.word(p)[0]).collect();
    row.put("parts", parts_of.len() as f32);
    row.put("parts_known", known.iter().filter(|x| **x > 0.0).count() as f32 / parts_of.len().max(1) as f32);
    row.put("parts_min", ln(known.iter().copied().fold(f32::MAX, f32::min).min(999.0)));
    let others = (siblings.n - 1.0).max(1.0);
    let knowing = |least: f32| {
        let all = siblings.known.iter().filter(|k| k[0] >= least).count() as f32;
        (all - f32::from(u8::from(seen >= least))) / others
    };
    row.put("known_share", knowing(1.0));
    row.put("known3_share", knowing(3.0));
    let rate = |[seen, what]: [f32; 2]| if seen > 0.0 { (what + 0.5) / (seen + 1.0) } else { -1.0 };
    let parent = word_before(source, place.parent);
    let of_parent = model.word(parent);
    let of_last = parts(parent).last().map(|p| model.word(p)).unwrap_or_default();
    let of_before = model.word(word_before(source, place.before));
    row.put("p_voc", ln(of_parent[0]));
    row.put("p_voc_param", rate([of_parent[0], of_parent[1]]));
    row.put("p_voc_lit", rate([of_parent[0], of_parent[2]]));
    row.put("p_last_param", rate([of_last[0], of_last[1]]));
    row.put("b_voc_param", rate([of_before[0], of_before[1]]));
    let lower = child.text.to_ascii_lowercase();
    let pair = if parent.is_empty() { -1.0 } else { ln(model.pair(parent, &lower)) };
    row.put("voc_pair", pair);
    row.put("voc_value", ln(model.pair("", &lower)));
}

fn of_first(row: &mut Row, first: &First, thoughts: &[f32], place: &Place, children: &[Child], i: usize) {
    let n = children.len() as f32;
    let own = thoughts.get(i).copied().unwrap_or_default();
    let child = &children[i];
    let others = || children.iter().zip(thoughts).enumerate().filter(move |(j, _)| *j != i).map(|(_, pair)| pair);
    let mean = |sum: f32, count: f32| if count > 0.5 { sum / count } else { -1.0 };
    let total: f32 = children.iter().map(|c| c.calls as f32).sum();
    let weighted: f32 = children.iter().zip(thoughts).map(|(c, p)| c.calls as f32 * p).sum();
    row.put("p1", own);
    row.put("p1_sib", mean(thoughts.iter().sum::<f32>() - own, n - 1.0));
    let rest = (total - child.calls as f32).max(1.0);
    row.put("p1_sib_w", if n > 1.0 { (weighted - child.calls as f32 * own) / rest } else { -1.0 });
    let like: Vec<f32> = others().filter(|(c, _)| (c.height > 0) == (child.height > 0)).map(|(_, p)| *p).collect();
    row.put("p1_sib_like", mean(like.iter().sum(), like.len() as f32));
    row.put("p1_min", others().map(|(_, p)| *p).fold(2.0, f32::min));
    row.put("p1_max", others().map(|(_, p)| *p).fold(-1.0, f32::max));
    let (elsewhere, count) = first.elsewhere(place, child.token);
    row.put("else_p", elsewhere);
    row.put("else_n", count);
    let (below, count) = first.elsewhere_below(place, child.token);
    row.put("pair_p", below);
    row.put("pair_n", count);
    let mut parent = match place.parent {
        Parent::Literal(token) => first.parents.get(&token).copied().unwrap_or_default(),
        _ => (0.0, 0.0),
    };
    for (_, thought) in first.places.get(&place.key).into_iter().flatten() {
        parent = (parent.0 - thought, parent.1 - 1.0);
    }
    row.put("else_parent", mean(parent.0, parent.1));
    row.put("else_parent_n", ln(parent.1.max(0.0)));
    let (mut sum, mut known) = (0.0, 0.0);
    for (other, _) in others() {
        let (thought, count) = first.elsewhere(place, other.token);
        if count > 0.5 {
            sum += thought;
            known += 1.0;
        }
    }
    row.put("sib_else_p", mean(sum, known));
    row.put("sib_else_share", known / (n - 1.0).max(1.0));
    let next: Vec<f32> = child.next[0]
        .iter()
        .filter(|t| **t != 0)
        .filter_map(|t| first.words.get(t))
        .map(|(sum, count)| sum / count)
        .collect();
    row.put("next_p", mean(next.iter().sum(), next.len() as f32));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_words_and_numbers() {
        for version in ["v1", "V3", "2.0", "v1.2.3", "v2beta1", "v1alpha", "v1p1beta1", "v4beta"] {
            assert!(is_version(version), "{version}");
        }
        for other in ["1", "2024", "video", "vpn", "v", "", "1.", "v1users", "1.2beta", "v1-2-3-4-5-6"] {
            assert!(!is_version(other), "{other}");
        }
    }
}
