//! Walks JSON for values.
//!
//! Takes the bytes of bodies in any pieces, where a `Location` leads and what a token claims, gathers the hashes of texts that could be words
//! of a path with the sort of field that each stood in. Bounded in bytes, depth and findings; a body that breaks off has told what it told. A
//! document in which an API describes itself (OpenAPI, discovery, lists of resources) tells nothing: there, literals are values. Never keeps
//! a text beyond the field that it stands in.

use super::super::key::Key;
use super::super::target;
use super::name::{self, Below, NAME, Noun};
use super::{Mention, Origin, VALUE, claims, hash, may_be_word};

/// Bytes of one body that are walked.
const BYTES: usize = 64 << 10;
/// Objects and lists in each other.
const DEPTH: usize = 32;
/// Findings of one exchange, before those that are the same are one.
const FOUND: usize = 1024;
/// Bytes of a text with slashes: several names in one.
const TEXT: usize = 3 * VALUE;
/// Longest value that is split, in parts.
const PARTS: usize = 4;
/// Longest path below which what was made is recognised.
const ASKED: usize = 512;

/// Names at the top of documents in which an API describes itself.
const DESCRIBES: [&[u8]; 8] = [
    b"openapi",
    b"swagger",
    b"asyncapi",
    b"swaggerVersion",
    b"discoveryVersion",
    b"paths",
    b"$schema",
    b"groupVersion",
];

/// What may come next. Letters and numbers outside of texts are stepped over: who is to be told apart by them is a value by form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value, a name or what is between them.
    Between,
    /// Inside of a text.
    Text { name: bool, escaped: bool },
    /// Nothing more is looked at.
    Over,
}

/// An object or a list that is open.
#[derive(Clone, Copy, Debug)]
struct Level {
    list: bool,
    /// What the objects here are.
    noun: Noun,
    /// In what a text of this list stands.
    listed: Option<Origin>,
    deaf: bool,
}

/// What is found in one exchange.
#[derive(Clone, Debug)]
pub struct Harvest {
    state: State,
    levels: Vec<Level>,
    /// A name was read, and its value is to come.
    named: bool,
    name: Vec<u8>,
    text: Vec<u8>,
    /// The text is too long, or holds an escape that no word has.
    odd: bool,
    walked: usize,
    /// Where the findings of this body begin, and whether they count.
    begun: usize,
    describes: bool,
    found: Vec<(u64, Origin)>,
    /// Bytes walked in all bodies of the exchange.
    total: u64,
    /// The path that was asked for, until the exchange is over.
    asked: Vec<u8>,
    /// How a path calls what such a list holds, where the path ends in a plural.
    collection: Option<Origin>,
    /// The body is the answer's.
    answers: bool,
}

impl Default for Harvest {
    fn default() -> Self {
        Self::new()
    }
}

impl Harvest {
    /// One that has found nothing.
    pub fn new() -> Self {
        Self {
            state: State::Between,
            levels: Vec::new(),
            named: false,
            name: Vec::with_capacity(NAME),
            text: Vec::with_capacity(TEXT),
            odd: false,
            walked: 0,
            begun: 0,
            describes: false,
            found: Vec::new(),
            total: 0,
            asked: Vec::new(),
            collection: None,
            answers: false,
        }
    }

    /// Another exchange, which asks for this path.
    pub fn asks(&mut self, key: &Key, path: &[u8]) {
        self.body();
        self.found.clear();
        (self.begun, self.total, self.answers) = (0, 0, false);
        let end = path.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(path.len());
        self.asked.clear();
        if end <= ASKED {
            self.asked.extend_from_slice(&path[..end]);
        }
        let last = self.asked.rsplit(|b| *b == b'/').find(|s| !s.is_empty()).unwrap_or_default();
        self.collection = name::collection(key, last);
    }

    /// The next body is the answer's: what it lists is in the collection that was asked for.
    pub fn answer(&mut self) {
        self.body();
        self.answers = true;
    }

    /// Another body of the same exchange.
    pub fn body(&mut self) {
        if self.describes {
            self.found.truncate(self.begun);
        }
        self.state = State::Between;
        self.levels.clear();
        self.text.clear();
        self.name.clear();
        (self.named, self.odd, self.describes) = (false, false, false);
        (self.walked, self.begun) = (0, self.found.len());
    }

    /// Bytes of the body.
    pub fn push(&mut self, key: &Key, bytes: &[u8]) {
        if self.state == State::Over {
            return;
        }
        let bytes = &bytes[..bytes.len().min(BYTES - self.walked)];
        self.walked += bytes.len();
        self.total += bytes.len() as u64;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Over => return,
                State::Text { name, escaped: true } => {
                    self.unescape(byte, name);
                    self.state = State::Text { name, escaped: false };
                    at += 1;
                }
                State::Text { name, escaped: false } => {
                    let rest = &bytes[at..];
                    let end = rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len());
                    self.keep(&rest[..end], name);
                    at += end + 1;
                    match rest.get(end) {
                        Some(b'"') => self.text_ends(key, name),
                        Some(_) => self.state = State::Text { name, escaped: true },
                        None => {}
                    }
                }
                State::Between => {
                    self.step(key, byte);
                    at += 1;
                }
            }
        }
        if self.walked >= BYTES {
            self.state = State::Over;
        }
    }

    fn step(&mut self, key: &Key, byte: u8) {
        match byte {
            b'"' => {
                let name = !self.named && self.levels.last().is_some_and(|level| !level.list);
                if name { &mut self.name } else { &mut self.text }.clear();
                self.odd = false;
                self.state = State::Text { name, escaped: false };
            }
            b'{' | b'[' => self.open(key, byte == b'['),
            b'}' | b']' => {
                self.named = false;
                match self.levels.pop() {
                    Some(level) if level.list == (byte == b']') && !self.levels.is_empty() => {}
                    _ => self.state = State::Over,
                }
            }
            b',' => self.named = false,
            // Outside of anything no JSON that tells something goes on.
            _ if self.levels.is_empty()
                && !byte.is_ascii_whitespace()
                && byte != 0xef
                && byte != 0xbb
                && byte != 0xbf =>
            {
                self.state = State::Over;
            }
            _ => {}
        }
    }

    fn open(&mut self, key: &Key, list: bool) {
        if self.levels.len() >= DEPTH {
            self.state = State::Over;
            return;
        }
        let outer = self.levels.last().copied().unwrap_or(Level {
            list: true,
            noun: Noun::default(),
            listed: None,
            deaf: false,
        });
        let mut level = Level { list, listed: None, ..outer };
        if std::mem::take(&mut self.named) && !outer.deaf {
            match name::below(key, &self.name) {
                Below::Things(noun) => level.noun = noun,
                Below::Same => {}
                Below::Deaf => level.deaf = true,
            }
            if list && !level.deaf {
                level.listed = name::listed(key, &self.name);
            }
        }
        self.levels.push(level);
    }

    fn keep(&mut self, bytes: &[u8], name: bool) {
        let (to, most) = if name { (&mut self.name, NAME) } else { (&mut self.text, TEXT) };
        if to.len() + bytes.len() > most {
            self.odd = true;
        } else if !self.odd {
            to.extend_from_slice(bytes);
        }
    }

    fn unescape(&mut self, byte: u8, name: bool) {
        // Some write `\/`; whatever else has to be escaped is in no word.
        if byte == b'/' { self.keep(b"/", name) } else { self.odd = true }
    }

    fn text_ends(&mut self, key: &Key, name: bool) {
        self.state = State::Between;
        if name {
            self.named = true;
            if self.odd {
                self.name.clear();
            }
            let top = self.levels.len() == 1;
            self.describes |= (top && DESCRIBES.contains(&&self.name[..])) || self.name == b"__schema";
            return;
        }
        let named = std::mem::take(&mut self.named);
        let Some(level) = self.levels.last().copied() else {
            self.state = State::Over;
            return;
        };
        if self.odd || level.deaf || self.text.is_empty() || self.found.len() >= FOUND {
            return;
        }
        if level.list {
            if let Some(origin) = level.listed.filter(|_| may_be_word(&self.text)) {
                self.found.push((hash(key, &self.text), origin));
            }
            return;
        }
        if !named {
            self.state = State::Over;
            return;
        }
        // Kubernetes' lists of groups, versions and resources, Google's discovery.
        self.describes |= self.levels.len() == 1
            && self.name == b"kind"
            && (self.text.starts_with(b"API") || self.text.starts_with(b"discovery#"));
        let word = may_be_word(&self.text);
        let split = !word && self.text.contains(&b'/');
        if !word && !split {
            return;
        }
        let (origins, several) = name::origins(key, &self.name, level.noun);
        if word {
            let value = hash(key, &self.text);
            self.found.extend(origins.into_iter().flatten().map(|origin| (value, origin)));
            // A list of things that have no other name is of what was asked for: it may be walked.
            let listed = self.answers && level.noun == Noun::default() && self.levels.iter().any(|l| l.list);
            let known = origins[0].is_some_and(|origin| origin.leaf().is_some());
            self.found.extend(self.collection.filter(|_| listed && known).map(|origin| (value, origin)));
        } else if several {
            let parts = || self.text.split(|b| *b == b'/');
            if parts().count() <= PARTS && parts().all(may_be_word) {
                let origin = Origin::known(name::FULL_NAME, 0);
                self.found.extend(parts().map(|part| (hash(key, part), origin)));
            }
        }
    }

    /// Where something was made: the one segment below what was asked for is what it is called by.
    pub fn location(&mut self, key: &Key, location: &[u8]) {
        let path = target::split(location).rest;
        let path = &path[..path.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(path.len())];
        let base = self.asked.strip_suffix(b"/").unwrap_or(&self.asked);
        let below = path.strip_prefix(base).and_then(|rest| rest.strip_prefix(b"/"));
        let word = below.map(|rest| rest.strip_suffix(b"/").unwrap_or(rest));
        if let Some(word) = word.filter(|word| !base.is_empty() && !word.contains(&b'/') && may_be_word(word)) {
            self.found.push((hash(key, word), Origin::known(name::LOCATION, 0)));
        }
    }

    /// What a bearer token claims.
    pub fn claims(&mut self, key: &Key, authorization: &[u8], scratch: &mut Vec<u8>) {
        if claims::decode(authorization, scratch) {
            self.body();
            self.push(key, scratch);
            self.body();
        }
        scratch.fill(0);
        scratch.clear();
    }

    /// Bytes that were walked.
    pub fn walked(&self) -> u64 {
        self.total
    }

    /// What was found, each once. `own`: hashes of the words in the path of the request.
    pub fn take(&mut self, own: &[u64], out: &mut Vec<Mention>) {
        self.body();
        self.asked.clear();
        self.found.sort_unstable();
        self.found.dedup();
        out.clear();
        out.extend(self.found.drain(..).take(super::MENTIONS).map(|(value, origin)| Mention {
            value,
            origin,
            own: own.contains(&value),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(text: &[u8], step: usize) -> Vec<Mention> {
        let mut harvest = Harvest::new();
        harvest.body();
        text.chunks(step.max(1)).for_each(|piece| harvest.push(&Key::FIXED, piece));
        let mut out = Vec::new();
        harvest.take(&[], &mut out);
        assert!(harvest.found.is_empty());
        out
    }

    /// The names under which a word was found.
    fn found(text: &str, word: &str) -> Vec<String> {
        let hash = super::super::value_hash(&Key::FIXED, word);
        let say = |o: Origin| [o.noun(), o.leaf().or(Some("*"))].into_iter().flatten().collect::<Vec<_>>().join(".");
        let all = walk(text.as_bytes(), 7);
        assert_eq!(all, walk(text.as_bytes(), 1), "however it is cut");
        all.into_iter().filter(|m| m.value == hash).map(|m| say(m.origin)).collect()
    }

    const REPOSITORY: &str = r#"{"data":[{"id":7,"name":"tools","full_name":"acme\/tools","type":"repository",
        "owner":{"login":"Acme","type":"organization","html_url":"http://a/acme"},"topics":["parser","logs"],"private":false,
        "default_branch":"main","_links":{"self":{"name":"self"}},"description":"nothing \"else\"","size":1.5e3}]}"#;

    #[test]
    fn values_are_found_with_their_fields() {
        assert_eq!(found(REPOSITORY, "acme"), ["full_name", "owner.login", "*"]);
        assert_eq!(found(REPOSITORY, "tools"), ["full_name", "name", "*"]);
        assert_eq!(found(REPOSITORY, "main"), ["*"]);
        assert_eq!(found(REPOSITORY, "parser"), ["*"]);
        for no in ["repository", "organization", "self", "else", "login", "owner"] {
            assert_eq!(found(REPOSITORY, no), [""; 0], "{no}");
        }
    }

    #[test]
    fn what_an_api_says_of_itself_tells_nothing() {
        for text in [
            r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","kind":"Pod","verbs":["get"]}]}"#,
            r#"{"kind":"APIGroupList","groups":[{"name":"apps"}],"name":"pods"}"#,
            r#"{"openapi":"3.0.0","tags":[{"name":"pods"}],"paths":{}}"#,
            r#"{"name":"pods","swagger":"2.0"}"#,
            r#"{"data":{"__schema":{"types":[{"name":"pods"}]},"name":"pods"}}"#,
            r#"{"resources":[{"name":"pods"}],"endpoints":[{"id":"pods"}],"links":[{"name":"pods"}]}"#,
            r#"{"errors":[{"code":"pods","name":"pods"}],"message":"pods"}"#,
            r#"{"type":"pods","resource":"pods","kind":"pods","object":"pods","action":"pods"}"#,
        ] {
            assert_eq!(found(text, "pods"), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_breaks_off_has_told_what_it_told_and_what_is_no_json_nothing() {
        assert_eq!(found(r#"[{"login":"acme"},{"login":"#, "acme"), ["login", "*"]);
        for no in ["acme", r#""acme""#, r#"login=acme&name="acme""#, "<a name=\"acme\">", r#"["acme"]"#] {
            assert_eq!(found(no, "acme"), [""; 0], "{no}");
        }
        let deep = format!("{}{}", r#"{"a":"#.repeat(DEPTH), r#"{"login":"acme"}"#);
        assert_eq!(found(&deep, "acme"), [""; 0]);
        let far = format!(r#"{{"x":"{}","login":"acme"}}"#, "y".repeat(BYTES));
        assert_eq!(found(&far, "acme"), [""; 0]);
    }

    #[test]
    fn a_location_names_what_was_made() {
        let at = |location: &str, base: &str| {
            let mut harvest = Harvest::new();
            harvest.asks(&Key::FIXED, base.as_bytes());
            harvest.location(&Key::FIXED, location.as_bytes());
            let mut out = Vec::new();
            harvest.take(&[], &mut out);
            out.len()
        };
        assert_eq!(at("/users/acme", "/users"), 1);
        assert_eq!(at("http://api.example/users/acme/?x", "/users?y"), 1);
        assert_eq!(at("/users/", "/users"), 0);
        assert_eq!(at("/users/acme/keys", "/users"), 0);
        assert_eq!(at("/login", "/users"), 0);
        assert_eq!(at("acme", "/users"), 0);
    }

    #[test]
    fn what_a_collection_lists_is_called_as_it_is() {
        let listed = |path: &str, body: &str| {
            let mut harvest = Harvest::new();
            harvest.asks(&Key::FIXED, path.as_bytes());
            harvest.answer();
            harvest.push(&Key::FIXED, body.as_bytes());
            let mut out = Vec::new();
            harvest.take(&[], &mut out);
            let called = path.split(['/', '?']).rfind(|s| !s.is_empty() && !s.contains('=')).unwrap();
            out.iter().filter(|m| m.origin == Origin::named(&Key::FIXED, called)).count()
        };
        assert_eq!(listed("/v1/secrets?limit=9", r#"{"items":[{"metadata":{"name":"tls"}}]}"#), 1);
        assert_eq!(listed("/warehouses/", r#"[{"id":"north"},{"id":"south"}]"#), 2);
        // One thing is no list, the list of something else none of this, and an API's root is no collection.
        assert_eq!(listed("/secrets/mirrors", r#"{"name":"mirrors"}"#), 0);
        assert_eq!(listed("/secrets", r#"[{"user":{"name":"ada"}}]"#), 0);
        assert_eq!(listed("/api", r#"[{"name":"users"}]"#), 0);
        assert_eq!(listed("/apis", r#"[{"name":"apps"}]"#), 0);
    }

    #[test]
    fn claims_are_fields() {
        let mut harvest = Harvest::new();
        let mut scratch = Vec::new();
        let token = b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIiwib3JnIjoiYWNtZSJ9.x";
        harvest.claims(&Key::FIXED, token, &mut scratch);
        let mut out = Vec::new();
        harvest.take(&[super::super::value_hash(&Key::FIXED, "jane")], &mut out);
        assert!(out.iter().any(|m| m.own && m.origin.leaf() == Some("sub")));
        assert!(out.iter().any(|m| !m.own && m.origin.leaf() == Some("org")));
        assert!(scratch.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(
            bytes in proptest::collection::vec(prop::sample::select(&b"{}[]\":,\\/ 1tnameidlogin\xff"[..]), 0..300),
            step in 1usize..40,
        ) {
            let whole = walk(&bytes, bytes.len());
            prop_assert!(whole.len() <= FOUND);
            prop_assert_eq!(walk(&bytes, step), whole);
        }
    }
}
