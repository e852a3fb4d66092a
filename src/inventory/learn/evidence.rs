//! What a service's tree says, made ready for judging.
//!
//! Takes the tree of raw paths, gives for each node and endpoint what the judgement looks at: which exchanges prove something,
//! totals from below, texts and names as numbers. Numbers are given in the order of the texts, so that nothing depends on the order in
//! which the tree grew. Never changes the tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::inventory::methods::{MethodId, plain};
use crate::inventory::state::hints_at_something;
use crate::inventory::tree::{Endpoint, NONE, NodeId, ROOT, Token, Tree};
use crate::observe::Kind;
use crate::observe::glue::BEFORE;

/// What is known of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Number of its text, lower case; 0 for a value.
    pub(super) token: u32,
    /// 0 a word, 1 a code, 2 a small number, 3 a value, 4 ([`NAME`]) a name of the protocol's.
    pub(super) kind: u8,
    /// Does an exchange at or below it prove that it is there?
    pub(super) proven: bool,
    /// Such exchanges.
    pub(super) calls: u64,
    /// Their methods, as bits.
    pub(super) methods: u32,
    /// Levels below it.
    pub(super) height: u32,
}

/// What is known of an endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// Its method's bit.
    pub(super) bit: u8,
    /// Exchanges that prove it.
    pub(super) ok: u64,
    /// A file for browsers, or what only scanners ask for.
    pub(super) asset: bool,
    /// Only scanners ask for it, and got nothing.
    pub(super) probe: bool,
    /// Was it ever, was it only answered with a page?
    pub(super) page: bool,
    pub(super) only_pages: bool,
    /// Did a server hint that it is there?
    pub(super) hint: bool,
    /// Did it hint so in a way in which servers don't answer nonsense?
    pub(super) strong: bool,
    /// Was it answered with anything but 405?
    pub(super) allowed: bool,
    pub(super) responses: Vec<u32>,
    pub(super) requests: Vec<u32>,
    pub(super) query: Vec<u32>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) tree: &'a Tree,
    /// Texts by number, lower case; the first is that of values.
    pub(super) tokens: Vec<String>,
    pub(super) nodes: Vec<Known>,
    pub(super) ends: Vec<End>,
}

/// Bits of methods in the order of their numbers; further ones share the last.
const BITS: [u8; 7] = [0, 1, 2, 4, 3, 5, 6];
const OTHER_BIT: u8 = 9;
const HEAD: MethodId = 5;
const OPTIONS: MethodId = 6;

/// Paths of files that browsers and crawlers ask any host for.
const BROWSER_FILES: [&str; 13] = [
    "robots.txt",
    "favicon.ico",
    "manifest.json",
    "sitemap.xml",
    "index.html",
    "apple-touch-icon.png",
    "sw.js",
    "service-worker.js",
    "humans.txt",
    "security.txt",
    ".well-known/security.txt",
    "browserconfig.xml",
    "ads.txt",
];
/// Media types that only browsers want.
const BROWSER_TYPES: [&str; 5] =
    ["application/javascript", "text/javascript", "text/css", "image/x-icon", "application/x-javascript"];
/// Folders of such files.
const STATIC_FOLDERS: [&str; 10] =
    ["assets", "static", "images", "img", "css", "js", "fonts", "media", "public", "dist"];
/// What scanners ask for: in a path, or at its beginning.
const PROBED: [&str; 29] = [
    ".php",
    ".asp",
    ".aspx",
    ".jsp",
    ".cgi",
    ".env",
    ".git",
    ".sql",
    ".bak",
    ".action",
    ".ini",
    ".exe",
    ".cfm",
    "wp-",
    "phpmyadmin",
    "cgi-bin",
    "passwd",
    "hnap1",
    "boaform",
    "actuator/env",
    "jenkins",
    "hudson",
    "solr/admin",
    "manager/html",
    "owa/auth",
    "telescope",
    "_ignition",
    "debug/pprof",
    "server-status",
];
/// Such paths answered with a page from which on a host is one that answers everything with a page.
const SOFT_PROBES: usize = 3;

/// Among the kinds of words: a name that the protocol itself gives.
pub(super) const NAME: u8 = 4;

fn is_picture(kind: &str) -> bool {
    ["image/", "font/", "video/"].iter().any(|p| kind.starts_with(p)) || BROWSER_TYPES.contains(&kind)
}

/// What one endpoint's path and types say about browsers and scanners.
struct Look {
    top: Option<NodeId>,
    browser_file: bool,
    picture: bool,
    success: bool,
    probe: bool,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        let mut it = Self { tree, tokens: Vec::new(), nodes: Vec::new(), ends: Vec::new() };
        it.number_texts();
        it.read_ends();
        it.total();
        it
    }

    pub(super) fn end(&self, id: u32) -> Option<&End> {
        self.ends.get(id as usize)
    }

    /// The text of a node; empty for a value.
    pub(super) fn text(&self, id: NodeId) -> &'a str {
        match &self.tree.nodes[id as usize].token {
            Token::Word(text, _) => text,
            _ => "",
        }
    }

    /// What is known of the endpoints at a node.
    pub(super) fn ends_at(&self, id: NodeId) -> impl Iterator<Item = &End> {
        self.tree.ids_at(id).into_iter().filter_map(|id| self.end(id))
    }

    fn number_texts(&mut self) {
        let live = self.tree.below(ROOT);
        let texts: BTreeSet<String> = live.iter().map(|id| self.text(*id).to_ascii_lowercase()).collect();
        self.nodes = vec![Known::default(); self.tree.nodes.len()];
        // The empty text, that of values, comes first.
        self.tokens = std::iter::once(String::new()).chain(texts.into_iter().filter(|t| !t.is_empty())).collect();
        let numbers: HashMap<&str, u32> =
            self.tokens.iter().enumerate().map(|(at, text)| (text.as_str(), at as u32)).collect();
        let tree = self.tree;
        for id in live {
            let known = &mut self.nodes[id as usize];
            if let Token::Word(text, kind) = &tree.nodes[id as usize].token {
                known.token = numbers.get(text.to_ascii_lowercase().as_str()).copied().unwrap_or_default();
                known.kind = match kind {
                    Kind::Word => 0,
                    Kind::Integer => 2,
                    Kind::Name => NAME,
                    _ => 1,
                };
            } else {
                known.kind = 3;
            }
        }
    }

    fn look(&self, endpoint: &Endpoint, types: &[String]) -> Look {
        let path = self.tree.path(endpoint.node);
        let mut text = String::new();
        for token in &path {
            let piece = if let Token::Word(text, _) = token { text } else { "*" };
            if !text.is_empty() && !piece.starts_with(BEFORE) {
                text.push('/');
            }
            text.push_str(piece.trim_start_matches(BEFORE));
        }
        text.make_ascii_lowercase();
        let get = plain(endpoint.method) == 0;
        let extension = matches!(path.last(), Some(Token::Word(word, _)) if word.starts_with("\u{1}."));
        let folder = matches!(path.first(), Some(Token::Word(word, _)) if STATIC_FOLDERS.contains(&word.to_ascii_lowercase().as_str()));
        let browser_type = types.iter().any(|t| BROWSER_TYPES.contains(&t.as_str()) || t.starts_with("font/"));
        let image = types.iter().any(|t| t.starts_with("image/"));
        let mut top = endpoint.node;
        while top != ROOT && self.tree.nodes[top as usize].parent != ROOT {
            top = self.tree.nodes[top as usize].parent;
        }
        Look {
            top: (top != ROOT && self.nodes[top as usize].kind != 3).then_some(top),
            browser_file: BROWSER_FILES.contains(&text.as_str())
                || (get && browser_type)
                || (image && folder && extension),
            picture: get && extension && types.iter().any(|t| is_picture(t)),
            success: plain(endpoint.method) != HEAD
                && plain(endpoint.method) != OPTIONS
                && endpoint.state.statuses().any(|(s, _)| s < 400),
            probe: text.starts_with('.') || PROBED.iter().any(|p| text.contains(p)),
        }
    }

    fn read_ends(&mut self) {
        let tree = self.tree;
        let mut names = BTreeSet::new();
        let mut pages = Vec::with_capacity(tree.endpoints.len());
        let mut facets = Vec::with_capacity(tree.endpoints.len());
        for endpoint in &tree.endpoints {
            let [requests, responses] = endpoint.as_ref().map(|e| e.state.media_types()).unwrap_or_default();
            let query = endpoint.as_ref().map(|e| e.state.query()).unwrap_or_default();
            pages.push(responses.get("text/html").copied().unwrap_or_default());
            let lists: [Vec<String>; 3] =
                [requests.into_keys().collect(), responses.into_keys().collect(), query.into_keys().collect()];
            names.extend(lists.iter().flatten().cloned());
            facets.push(lists);
        }
        let numbers: HashMap<&str, u32> = names.iter().enumerate().map(|(at, n)| (n.as_str(), at as u32)).collect();
        let number =
            |list: &[String]| -> Vec<u32> { list.iter().filter_map(|n| numbers.get(n.as_str()).copied()).collect() };
        let mut tops = BTreeMap::<NodeId, (u32, u32)>::new();
        let mut looks = Vec::with_capacity(facets.len());
        for ((endpoint, [requests, responses, query]), pages) in tree.endpoints.iter().zip(&facets).zip(pages) {
            let Some(endpoint) = endpoint else {
                self.ends.push(End::default());
                looks.push(None);
                continue;
            };
            let look = self.look(endpoint, responses);
            if let (Some(top), true) = (look.top, look.success) {
                let counts = tops.entry(top).or_default();
                if look.picture {
                    counts.0 += 1;
                } else if !look.browser_file {
                    counts.1 += 1;
                }
            }
            let page = responses.iter().any(|t| t == "text/html");
            // Answers without a type are none, whatever came with its failures and redirections.
            let answers: u64 = endpoint.state.statuses().filter(|(s, _)| (200..300).contains(s)).map(|(_, n)| n).sum();
            let only_pages = page && responses.len() == 1 && pages >= answers;
            // What was ever denied to be there is not hinted at by other failures.
            let denied = endpoint.state.statuses().any(|(s, _)| s == 404);
            self.ends.push(End {
                bit: BITS.get(plain(endpoint.method) as usize).copied().unwrap_or(OTHER_BIT),
                ok: proofs(endpoint),
                asset: look.browser_file,
                probe: look.probe && !look.success,
                page,
                only_pages,
                hint: !denied
                    && endpoint
                        .state
                        .statuses()
                        .any(|(s, _)| s != 405 && hints_at_something(s) && !matches!(s, 406..=428)),
                strong: !denied
                    && endpoint.state.statuses().any(|(s, _)| matches!(s, 401 | 402 | 429 | 500 | 502..=599)),
                allowed: endpoint.state.statuses().any(|(s, _)| s != 405),
                responses: number(responses),
                requests: number(requests),
                query: number(query),
            });
            looks.push(Some(look));
        }
        self.leave_out(&looks, &tops);
    }

    /// Lets files for browsers prove nothing, nor pages where the host answers everything with a page.
    fn leave_out(&mut self, looks: &[Option<Look>], tops: &BTreeMap<NodeId, (u32, u32)>) {
        let found = |e: &End| e.page && e.bit == 0 && e.ok > 0;
        let each = || looks.iter().zip(&self.ends).filter_map(|(l, e)| Some((l.as_ref()?, e)));
        let soft = each().filter(|(look, end)| (look.probe || look.browser_file) && found(end)).count();
        let api = each().any(|(look, end)| !look.browser_file && end.ok > 0 && !end.page);
        let soft = soft >= SOFT_PROBES && api;
        for (look, end) in looks.iter().zip(&mut self.ends) {
            let Some(look) = look else { continue };
            let page = end.page && end.bit == 0;
            let pictures_only = look.top.and_then(|top| tops.get(&top)).is_some_and(|(a, b)| *a > 0 && *b == 0);
            end.asset |= pictures_only;
            if end.asset || (look.probe && page) || (soft && page && end.only_pages) {
                end.ok = 0;
                end.asset |= look.probe;
            }
        }
    }

    fn total(&mut self) {
        let order = self.tree.below(ROOT);
        for &id in order.iter().rev() {
            let (mut ok, mut methods) = (0, 0);
            for end in self.ends_at(id).filter(|e| e.ok > 0) {
                ok += end.ok;
                methods |= 1 << end.bit;
            }
            let node = &mut self.nodes[id as usize];
            node.proven |= ok > 0;
            node.calls += ok;
            node.methods |= methods;
            let (proven, calls, methods, height) = (node.proven, node.calls, node.methods, node.height);
            let parent = self.tree.nodes[id as usize].parent;
            if parent != NONE && proven {
                let parent = &mut self.nodes[parent as usize];
                parent.proven = true;
                parent.calls += calls;
                parent.methods |= methods;
                parent.height = parent.height.max(height + 1);
            }
        }
    }
}

/// Exchanges of an endpoint that prove that it is there: successes, a WebSocket's among them, and redirections that are
/// not for good (as those of a web server are, to another host or spelling).
fn proofs(endpoint: &Endpoint) -> u64 {
    if matches!(plain(endpoint.method), HEAD | OPTIONS) {
        return 0;
    }
    let proves = |status: u16| matches!(status, 101 | 200..=299 | 302..=304 | 307 | 308);
    let proofs: u64 = endpoint.state.statuses().filter(|(status, _)| proves(*status)).map(|(_, n)| n).sum();
    proofs.saturating_sub(endpoint.state.unimplemented())
}
