//! From raw paths to templates.
//!
//! Takes the tree of one service's raw paths and the routes that documents name, gives templates with the raw endpoints that
//! each of them holds, and those that are probes. A pure view: it changes nothing, depends on the tree's content alone, and
//! so neither on arrival order nor on the order of any map. Never learns from a path that did not succeed: failures are
//! matched against what succeeded.
//!
//! Top down, the children of a place are judged ([`judge`]); those that are values become one parameter, their subtrees
//! one place, and the judgement goes on below. Documented routes are matched first and win.

mod child;
mod evidence;
mod features;
mod forest;
mod joined;
mod judge;
mod named;
mod names;
mod place;
mod route;
mod rules;
mod spans;
mod spread;
mod tails;
pub(super) mod training;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use super::documented::Route;
use super::methods::{self, MethodId};
use super::provenance::Provenance;
use super::rule::{Rule, RuleKind};
use super::tree::{EndpointId, NONE, NodeId, ROOT, Token, Tree};
use crate::observe::glue::{AFTER, BEFORE};
use crate::observe::{Key, Kind};
use child::Child;
use evidence::{End, Evidence, NAME};
use judge::Judge;
use place::{Host, Place};
use rules::FORMATS;
use verdict::Verdict;

/// Unproven words at one place that may still be real; where there are more, the server says the same to nonsense.
const DOUBTFUL_WORDS: usize = 16;
/// Segments before a word that only ever failed from which on it may be real: scanners guess at the root.
const DOUBTFUL_DEPTH: u32 = 1;

/// Different endings at one place from which on what stands before them is names of files.
const FILE_ENDINGS: usize = 3;
/// Different names that such files must have.
const FILE_STEMS: usize = 3;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Piece {
    /// A literal, decoded.
    Literal(String),
    /// One parameter, with the place in the path that it stands at.
    Parameter,
    /// Two parameters: coordinates.
    Pair,
    /// A parameter after a dot, in the segment of the piece before.
    Ending,
    /// A parameter named by a document.
    Named(String),
    /// Literals and parameters of a document in one segment: `Ok` is a parameter's name.
    Mixed(Vec<Result<String, String>>),
    /// All that follows.
    CatchAll(Option<String>),
}

/// A template and the raw endpoints it holds.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
    pub(super) documented: bool,
    /// The method alone: operations are a view over templates ([`operations`](super::operations)).
    pub(super) method: MethodId,
    pub(super) endpoints: Vec<EndpointId>,
}

/// What was learnt.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub(super) templates: Vec<Template>,
    /// Raw endpoints answered as nonsense is.
    pub(super) probes: Vec<EndpointId>,
    /// Judgements, where they were asked for.
    pub(super) decisions: Vec<Decision>,
    /// Which raw nodes are one place.
    pub(super) places: Places,
}

/// How a place is come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// By one of certain words. What was never seen to end at or below it is nothing where `ignored`.
    Literal { ignored: bool },
    /// By anything.
    Value,
    /// By any ending of the segment before.
    Ending,
    /// By the rest of a path.
    Rest,
}

/// The raw nodes that are one place in the templates.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By node: its place; [`NONE`] where nothing was judged.
    pub(super) of: Vec<u32>,
    /// By place; the first is the root.
    pub(super) steps: Vec<Step>,
}

impl Places {
    fn mark(&mut self, nodes: &[NodeId], step: Step) {
        for &node in nodes {
            if let Some(of) = self.of.get_mut(node as usize) {
                *of = self.steps.len() as u32;
            }
        }
        self.steps.push(step);
    }
}

/// Raw endpoints by template: its pieces, whether they are a document's, its method.
type Groups = BTreeMap<(Vec<Piece>, bool, MethodId), Vec<EndpointId>>;

/// What documents, people and bodies say of a service.
#[derive(Clone, Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) routes: Vec<&'a Route>,
    pub(super) rules: Vec<&'a Rule>,
    /// What its bodies named, and under which key; `None` where they named nothing.
    pub(super) named: Option<(&'a Provenance, Key)>,
}

/// Learns the templates of a service. `explain`: note the judgements that were made.
pub(super) fn learn(tree: &Tree, told: &Told<'_>, explain: bool) -> Learnt {
    let walked = walk(tree, told, explain);
    let template = |((pieces, documented, method), endpoints)| Template { pieces, documented, method, endpoints };
    Learnt {
        templates: walked.groups.into_iter().map(template).collect(),
        probes: walked.probes,
        decisions: walked.decisions.unwrap_or_default(),
        places: walked.places,
    }
}

/// The children, by parent, that are values in the view: what is folded for good when a service holds too much.
pub(super) fn folds(tree: &Tree) -> Vec<(NodeId, Vec<NodeId>)> {
    walk(tree, &Told::default(), false).folds
}

/// What a walk over a tree gives.
#[derive(Default)]
struct Walked {
    groups: Groups,
    probes: Vec<EndpointId>,
    folds: Vec<(NodeId, Vec<NodeId>)>,
    /// Only where they are asked for.
    decisions: Option<Vec<Decision>>,
    places: Places,
}

fn walk(tree: &Tree, told: &Told<'_>, explain: bool) -> Walked {
    let documented = route::assign(tree, &told.routes);
    let evidence = Evidence::new(tree);
    let host = Host::new(&evidence);
    let mut judge = Judge::new(&evidence, &host);
    judge.named = told.named.map(|(provenance, key)| named::Named { provenance, key });
    Learner::new(&evidence, told, &documented).walk(&mut judge, &[ROOT], &mut Vec::new(), Place::default());
    judge.begin_second();
    let mut learner = Learner::new(&evidence, told, &documented);
    learner.out.decisions = explain.then(Vec::new);
    learner.walk(&mut judge, &[ROOT], &mut Vec::new(), Place::default());
    let mut out = learner.out;
    out.groups = tails::fold(&evidence, out.groups);
    out
}

pub(super) use names::{PathName, name};
pub(super) use rules::means_itself;
pub(super) use verdict::{Decision, Reason};

struct Learner<'a> {
    evidence: &'a Evidence<'a>,
    tree: &'a Tree,
    told: &'a Told<'a>,
    documented: &'a route::Assignment,
    /// Endings that are part of the value before them.
    joined: BTreeSet<NodeId>,
    out: Walked,
}

/// The nodes below a place, by the number of their word.
type Words = BTreeMap<u32, Vec<NodeId>>;

/// Where what is below a place goes.
#[derive(Default)]
struct Sorted {
    literals: Words,
    parameter: Vec<NodeId>,
    /// Endings that vary, of the segment before.
    endings: Vec<NodeId>,
    /// Endings that are part of the value before.
    absorbed: Vec<NodeId>,
    /// What bodies call the parameter.
    name: Option<String>,
}

impl<'a> Learner<'a> {
    fn new(evidence: &'a Evidence<'a>, told: &'a Told<'a>, documented: &'a route::Assignment) -> Self {
        let places = Places { of: vec![NONE; evidence.tree.nodes.len()], steps: Vec::new() };
        let out = Walked { places, ..Walked::default() };
        Self { evidence, tree: evidence.tree, told, documented, joined: BTreeSet::new(), out }
    }

    /// Reads a place: the nodes that one prefix of a template leads to.
    fn walk(&mut self, judge: &mut Judge<'_>, nodes: &[NodeId], pieces: &mut Vec<Piece>, mut place: Place) {
        let rule = self.rule(pieces, None);
        let ignored = rule == Some(RuleKind::Ignore);
        let step = match pieces.last() {
            None | Some(Piece::Literal(_)) => Step::Literal { ignored },
            Some(Piece::Ending) => Step::Ending,
            Some(Piece::CatchAll(_)) => Step::Rest,
            Some(Piece::Parameter | Piece::Pair | Piece::Named(_) | Piece::Mixed(_)) => Step::Value,
        };
        self.out.places.mark(nodes, step);
        if ignored {
            let below = nodes.iter().flat_map(|n| self.tree.below(*n)).flat_map(|n| self.tree.ids_at(n));
            self.out.probes.extend(below);
            return;
        }
        self.take_endpoints(nodes, pieces);
        if rule == Some(RuleKind::One) || (place.depth > 0 && tails::are_files(self.evidence, nodes)) {
            let below: Vec<_> = nodes.iter().flat_map(|n| self.tree.below(*n).into_iter().skip(1)).collect();
            pieces.push(Piece::CatchAll(None));
            self.take_endpoints(&below, pieces);
            pieces.pop();
            return;
        }
        let (mut words, mut doubtful, mut rests) = (Words::new(), Words::new(), Vec::new());
        let mut sorted = Sorted::default();
        for &id in nodes {
            let node = &self.tree.nodes[id as usize];
            sorted.parameter.extend((node.value != NONE).then_some(node.value));
            rests.extend((node.rest != NONE).then_some(node.rest));
            for child in self.tree.words_of(id) {
                let known = &self.evidence.nodes[child as usize];
                let map = if known.proven { &mut words } else { &mut doubtful };
                map.entry(known.token).or_default().push(child);
            }
            for end in self.evidence.ends_at(id).filter(|e| e.ok > 0) {
                place.methods |= 1 << end.bit;
                place.calls += end.ok;
            }
        }
        place.size = nodes.iter().filter(|n| self.evidence.nodes[**n as usize].proven).count().max(1);
        self.sort_words(judge, words, &place, pieces, &mut sorted);
        self.sort_doubtful(doubtful, &place, &mut sorted);
        if !sorted.absorbed.is_empty() {
            self.out.places.mark(&sorted.absorbed, Step::Ending);
            self.take_endpoints(&sorted.absorbed, pieces);
        }
        for (token, nodes) in sorted.literals {
            pieces.push(Piece::Literal(self.spelling(&nodes).to_owned()));
            self.walk(judge, &nodes, pieces, place.below_literal(token));
            pieces.pop();
        }
        if !sorted.endings.is_empty() {
            pieces.push(Piece::Ending);
            self.walk(judge, &sorted.endings, pieces, Place { key: place.mixed(0), ..place.below_parameter() });
            pieces.pop();
        }
        if !sorted.parameter.is_empty() {
            let pair = self.are_coordinates(&sorted.parameter, pieces.len());
            let name = sorted.name.filter(|_| !pair).map(|name| Piece::Named(named::unique(name, pieces)));
            pieces.push(name.unwrap_or(if pair { Piece::Pair } else { Piece::Parameter }));
            self.walk(judge, &sorted.parameter, pieces, place.below_parameter());
            pieces.pop();
        }
        if !rests.is_empty() {
            pieces.push(Piece::CatchAll(None));
            self.walk(judge, &rests, pieces, place.below_parameter());
            pieces.pop();
        }
    }

    /// Judges the words of a place that are proven.
    fn sort_words(
        &mut self,
        judge: &mut Judge<'_>,
        words: Words,
        place: &Place,
        pieces: &[Piece],
        sorted: &mut Sorted,
    ) {
        let child = |(token, nodes)| Child::new(self.evidence, token, nodes);
        let text = |token: u32| self.evidence.tokens.get(token as usize).map_or("", String::as_str);
        // What the protocol itself names is never judged, however many there are.
        let (names, words): (Words, Words) = words.into_iter().partition(|(_, nodes)| self.is_name(nodes));
        sorted.literals.extend(names);
        let (glued, words): (Words, Words) =
            words.into_iter().partition(|(t, _)| text(*t).starts_with(BEFORE) || text(*t).ends_with(AFTER));
        let (fixed, endings): (Words, Words) =
            glued.into_iter().partition(|(t, _)| text(*t).ends_with(AFTER) || text(*t) == "\u{1}')");
        sorted.literals.extend(fixed);
        let children: Vec<_> = words.into_iter().map(child).collect();
        let proven = sorted.parameter.iter().any(|v| self.evidence.nodes[*v as usize].proven);
        let value = proven.then(|| Child::new(self.evidence, 0, sorted.parameter.clone()));
        let verdicts = judge.judge(place, &children, value.as_ref());
        let stems: Vec<_> = children.iter().filter(|c| self.are_endings(&c.next[0])).collect();
        let count: usize = stems.iter().map(|c| c.next[0].len()).sum();
        // One stem with many endings is one answer in many forms.
        let files = stems.len() >= FILE_STEMS
            && count <= stems.len() * 2
            && self.are_files(stems.iter().flat_map(|c| &c.next[0]));
        // Documents teach the neighbours: beside words that they have as literals, and no value of theirs, stand literals.
        let said: Vec<_> = children.iter().filter_map(|c| self.documented_literal(&c.nodes)).collect();
        let taught = !said.is_empty() && said.iter().all(|literal| *literal);
        sorted.name = named::name(&verdicts, &children, self.word(place.parent), self.word(place.before));
        let count = children.len();
        let levels = spans::levels(&children, |at| !verdicts[at].is_literal(), value.as_ref());
        let names = joined::names(self.evidence, &children, |at| !verdicts[at].is_literal(), value.is_some());
        for (((child, mut verdict), level), named) in children.into_iter().zip(verdicts).zip(levels).zip(names) {
            if named {
                verdict.parameter(Reason::Colon);
                let behind_colon = |n: &NodeId| self.evidence.text(*n).starts_with("\u{1}:");
                let below = child.nodes.iter().flat_map(|n| self.tree.words_of(*n));
                self.joined.extend(below.filter(behind_colon));
            }
            if files && child.here == 0 && self.are_endings(&child.next[0]) {
                verdict.parameter(Reason::File);
            }
            if taught && child.kind == 0 {
                verdict = Verdict::said(true, Reason::Neighbour);
            }
            if let Some(literal) = self.documented_literal(&child.nodes) {
                verdict = Verdict::said(literal, Reason::Document);
            }
            if let Some(kind @ (RuleKind::Literal | RuleKind::Parameter)) = self.rule(pieces, Some(&child.text)) {
                verdict = Verdict::said(kind == RuleKind::Literal, Reason::Rule);
            }
            if let Some(decisions) = &mut self.out.decisions {
                decisions.push(Decision {
                    before: pieces.to_vec(),
                    word: child.text.clone(),
                    literal: verdict.is_literal(),
                    value: verdict.value,
                    reason: verdict.reason,
                    calls: child.calls,
                    words: count,
                    beside_values: value.is_some(),
                    nodes: child.nodes.clone(),
                });
            }
            let untold = !matches!(verdict.reason, Reason::Document | Reason::Neighbour | Reason::Rule);
            if level > 0 && untold {
                self.take_deeper(&child.nodes, level, sorted);
            } else if verdict.is_literal() {
                sorted.literals.insert(child.token, child.nodes);
            } else {
                self.note_folds(&child.nodes);
                sorted.parameter.extend(child.nodes);
            }
        }
        let mut others = Words::new();
        for (token, nodes) in endings {
            let (joined, nodes): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|n| self.joined.contains(n));
            sorted.absorbed.extend(joined);
            if !nodes.is_empty() {
                others.insert(token, nodes);
            }
        }
        let children: Vec<_> = others.into_iter().map(child).collect();
        let verdicts = judge.judge(&Place { key: place.mixed(3), ..*place }, &children, None);
        let extensions = children.iter().filter(|c| is_extension(&c.text)).count();
        let after_value = matches!(pieces.last(), Some(Piece::Parameter | Piece::Pair | Piece::Named(_)));
        let files = place.size >= FILE_STEMS && self.are_files(children.iter().map(|c| &c.token));
        for (child, verdict) in children.into_iter().zip(verdicts) {
            let extension = is_extension(&child.text);
            if files && extension && after_value
                || !verdict.is_literal() && after_value && (place.methods > 0 || !extension)
            {
                sorted.absorbed.extend(child.nodes);
            } else if !verdict.is_literal() && extension && extensions > 1 {
                sorted.endings.extend(child.nodes);
            } else {
                sorted.literals.insert(child.token, child.nodes);
            }
        }
    }

    /// The literal that stands before something; empty where there is none.
    fn word(&self, parent: place::Parent) -> &str {
        match parent {
            place::Parent::Literal(token) => self.evidence.tokens.get(token as usize).map_or("", String::as_str),
            _ => "",
        }
    }

    /// Takes what ends some levels below words that are first parts of values.
    fn take_deeper(&mut self, nodes: &[NodeId], level: usize, sorted: &mut Sorted) {
        let mut nodes = nodes.to_vec();
        for at in 0..level {
            self.out.places.mark(&nodes, if at == 0 { Step::Literal { ignored: false } } else { Step::Value });
            // Whoever asked for a part of a value got nothing.
            self.out.probes.extend(nodes.iter().flat_map(|n| self.tree.ids_at(*n)));
            let below = |n: &NodeId| {
                let node = &self.tree.nodes[*n as usize];
                let others = [node.value, node.rest].into_iter().filter(|c| *c != NONE);
                self.tree.words_of(*n).into_iter().chain(others).collect::<Vec<_>>()
            };
            nodes = nodes.iter().flat_map(below).collect();
        }
        sorted.parameter.extend(nodes);
    }

    /// Are the endings among some words those of files of all sorts, and not forms of one answer?
    fn are_files<'t>(&self, tokens: impl Iterator<Item = &'t u32>) -> bool {
        let mut endings: Vec<&str> = tokens
            .filter_map(|t| self.evidence.tokens.get(*t as usize))
            .filter_map(|t| t.strip_prefix("\u{1}."))
            .filter(|t| !t.ends_with(AFTER))
            .collect();
        endings.sort_unstable();
        endings.dedup();
        endings.len() >= FILE_ENDINGS && endings.iter().filter(|e| !FORMATS.contains(e)).count() >= 2
    }

    fn are_endings(&self, tokens: &BTreeSet<u32>) -> bool {
        !tokens.is_empty()
            && tokens.iter().all(|t| self.evidence.tokens.get(*t as usize).is_some_and(|t| is_extension(t)))
    }

    /// Puts the words that never succeeded where they belong: with the word of another node of the place that did, with the
    /// parameter, by themselves where the server hinted that they are there, or nowhere.
    fn sort_doubtful(&mut self, doubtful: Words, place: &Place, sorted: &mut Sorted) {
        let is_proven = |n: &NodeId| self.evidence.nodes[*n as usize].proven;
        let has_parameter = sorted.parameter.iter().any(is_proven);
        let near_root = place.depth < DOUBTFUL_DEPTH;
        let alone = doubtful.keys().filter(|t| !sorted.literals.contains_key(t)).count();
        for (token, nodes) in doubtful {
            let text = self.evidence.tokens.get(token as usize).map_or("", String::as_str);
            if let Some(known) = sorted.literals.get_mut(&token) {
                known.extend(nodes);
            } else if text.starts_with(BEFORE) {
                match (is_extension(text), sorted.endings.is_empty(), sorted.absorbed.is_empty()) {
                    (true, false, _) => sorted.endings.extend(nodes),
                    (true, true, false) => sorted.absorbed.extend(nodes),
                    _ => self.give_up(&nodes),
                }
            } else if text.starts_with('.') {
                self.give_up(&nodes);
            } else if has_parameter && !self.is_name(&nodes) {
                self.note_folds(&nodes);
                sorted.parameter.extend(nodes);
            } else if alone <= DOUBTFUL_WORDS && nodes.iter().any(|n| self.may_be_real(*n, near_root)) {
                sorted.literals.insert(token, nodes);
            } else {
                self.give_up(&nodes);
            }
        }
        if !has_parameter && !sorted.parameter.iter().any(|n| self.may_be_real(*n, near_root)) {
            let nowhere = std::mem::take(&mut sorted.parameter);
            self.give_up(&nowhere);
        }
    }

    /// The spelling of a word with the most exchanges.
    fn spelling(&self, nodes: &[NodeId]) -> &'a str {
        let calls = |n: &&NodeId| (self.evidence.nodes[**n as usize].calls, self.evidence.text(**n));
        nodes.iter().max_by_key(calls).map_or("", |n| self.evidence.text(*n))
    }

    /// What a rule says of a place, or of a word at it.
    fn rule(&self, pieces: &[Piece], word: Option<&str>) -> Option<RuleKind> {
        if self.told.rules.is_empty() {
            return None;
        }
        let segment = |piece: &'_ Piece| -> Option<String> {
            if let Piece::Literal(text) = piece { Some(text.clone()) } else { None }
        };
        let mut path: Vec<Option<String>> = pieces.iter().map(segment).collect();
        path.extend(word.map(|w| Some(w.to_owned())));
        let said = |rule: &&Rule| rule.of_path(path.iter().map(Option::as_deref));
        let of_word = |kind: &RuleKind| matches!(kind, RuleKind::Literal | RuleKind::Parameter) == word.is_some();
        self.told.rules.iter().filter_map(said).find(of_word)
    }

    /// Is a word a name of the protocol's?
    fn is_name(&self, nodes: &[NodeId]) -> bool {
        nodes.iter().any(|n| self.evidence.nodes[*n as usize].kind == NAME)
    }

    /// What documents say of a word: is it a literal?
    fn documented_literal(&self, nodes: &[NodeId]) -> Option<bool> {
        let said = || nodes.iter().filter_map(|n| self.documented.literal(*n));
        said().next().map(|_| said().any(|literal| literal))
    }

    /// Were all values at a place pairs of coordinates?
    fn are_coordinates(&self, nodes: &[NodeId], place: usize) -> bool {
        let pairs = |id: &NodeId| {
            let mut seen = false;
            matches!(self.tree.nodes[*id as usize].token, Token::Value)
                && self.tree.below(*id).into_iter().all(|n| {
                    self.tree.endpoints_at(n).all(|e| {
                        e.state.kinds_at(place).all(|(kind, _)| {
                            seen = true;
                            kind == Kind::Coordinates
                        })
                    })
                })
                && seen
        };
        nodes.iter().all(pairs)
    }

    fn note_folds(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            self.out.folds.push((self.tree.nodes[node as usize].parent, vec![node]));
        }
    }

    /// Did a server hint that something below this node is there, or does a document say so?
    fn may_be_real(&self, id: NodeId, near_root: bool) -> bool {
        self.tree.below(id).into_iter().any(|n| {
            self.documented.route(n).is_some()
                || self.evidence.ends_at(n).any(|e| !e.asset && if near_root { e.strong } else { e.hint })
        })
    }

    fn give_up(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            for below in self.tree.below(node) {
                match self.documented.route(below) {
                    Some(route) => self.take_documented(below, route),
                    None => self.out.probes.extend(self.tree.ids_at(below)),
                }
            }
        }
    }

    /// Takes the endpoints at a place, those of documented routes under their own templates.
    fn take_endpoints(&mut self, place: &[NodeId], pieces: &[Piece]) {
        let mut by_method = BTreeMap::<MethodId, Vec<EndpointId>>::new();
        for &id in place {
            match self.documented.route(id) {
                Some(route) => self.take_documented(id, route),
                None => {
                    for endpoint in self.tree.ids_at(id) {
                        by_method.entry(self.method(endpoint)).or_default().push(endpoint);
                    }
                }
            }
        }
        let evidence = self.evidence;
        let ends = || by_method.values().flatten().filter_map(|id| evidence.end(*id));
        let literal = matches!(pieces.last(), Some(Piece::Literal(_)));
        let real = ends().any(|e| e.ok > 0 || (literal && e.hint && !e.asset));
        // Below the root, what a web server answers with a page is no miss of an API that never does.
        let pages = pieces.iter().any(|p| matches!(p, Piece::Literal(_))) || ends().any(|e| e.ok > 0 && e.only_pages);
        let belongs = |e: &End| e.ok > 0 || (!e.asset && !e.probe && (pages || !e.only_pages));
        for (method, ids) in by_method {
            let (ids, odd): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| evidence.end(*id).is_some_and(belongs));
            self.out.probes.extend(odd);
            let mut ends = ids.iter().filter_map(|id| evidence.end(*id));
            if ends.any(|e| e.ok > 0 || (real && e.allowed && method < USUAL_METHODS)) {
                self.out.groups.entry((pieces.to_vec(), false, method)).or_default().extend(ids);
            } else {
                self.out.probes.extend(ids);
            }
        }
    }

    fn method(&self, id: EndpointId) -> MethodId {
        self.tree.endpoints.get(id as usize).and_then(Option::as_ref).map_or(0, |e| methods::plain(e.method))
    }

    fn take_documented(&mut self, id: NodeId, route: usize) {
        let pieces = route::pieces(self.told.routes[route]);
        for endpoint in self.tree.ids_at(id) {
            self.out.groups.entry((pieces.clone(), true, self.method(endpoint))).or_default().push(endpoint);
        }
    }
}

/// Methods that are asked of a real path by its users; of the others only successes count.
const USUAL_METHODS: MethodId = 7;

/// Is it a dot and what follows, at the end of a segment?
fn is_extension(text: &str) -> bool {
    text.strip_prefix(BEFORE).is_some_and(|t| t.starts_with('.')) && !text.ends_with(AFTER)
}
