//! Names of fields, and what they say.
//!
//! Takes the name of a field as it stands in a body, gives what a value in it proves, and what an object under it is. The lists are
//! of words that APIs have for identities; none is of one API. Never keeps a name that is not in them.

use super::super::key::Key;
use super::Origin;

/// How much a word's standing in a field says of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Nothing is called so but what is addressed by it: a login, a slug.
    Identity,
    /// Identifiers stand there, and names of things that are none: `id`, `name`, `key`.
    Identifier,
    /// Only where the path calls it by the same name: `/categories/{}` and `"category": …`.
    Named,
}

/// A field that is known by name.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// Lower case, without joints.
    flat: &'static str,
    /// As it is shown.
    pub shown: &'static str,
    /// What it proves.
    pub strength: Strength,
}

const fn identity(flat: &'static str, shown: &'static str) -> Leaf {
    Leaf { flat, shown, strength: Strength::Identity }
}

const fn identifier(flat: &'static str, shown: &'static str) -> Leaf {
    Leaf { flat, shown, strength: Strength::Identifier }
}

/// Number of the origin of what a `Location` field leads to, below the path that was asked for.
pub(super) const LOCATION: u8 = 0;
/// Number of the origin of parts of a full name (`acme/tools`).
pub(super) const FULL_NAME: u8 = 1;

/// Fields that are known by name, those that say most first. A place in this list is part of what is kept: new ones go to the end
/// of it.
pub const LEAVES: [Leaf; 36] = [
    identity("location", "Location"),
    identity("fullname", "full_name"),
    identity("login", "login"),
    identity("username", "username"),
    identity("screenname", "screen_name"),
    identity("handle", "handle"),
    identity("slug", "slug"),
    identity("owner", "owner"),
    identity("namespace", "namespace"),
    identity("preferredusername", "preferred_username"),
    identity("sub", "sub"),
    identity("tenant", "tenant"),
    identity("org", "org"),
    identity("organization", "organization"),
    identity("workspace", "workspace"),
    identity("account", "account"),
    identity("project", "project"),
    identity("repository", "repository"),
    identity("repo", "repo"),
    identity("bucket", "bucket"),
    identifier("id", "id"),
    identifier("key", "key"),
    identifier("code", "code"),
    identifier("name", "name"),
    identifier("uid", "uid"),
    identifier("uuid", "uuid"),
    identifier("sha", "sha"),
    identifier("ref", "ref"),
    identifier("tag", "tag"),
    identifier("tagname", "tag_name"),
    identifier("symbol", "symbol"),
    identifier("sku", "sku"),
    identifier("identifier", "identifier"),
    identifier("shortname", "short_name"),
    identifier("alias", "alias"),
    identifier("path", "path"),
];

/// Fields whose value may be several names with slashes between.
const WHOLE_NAMES: [&str; 10] = [
    "fullname",
    "pathwithnamespace",
    "fullpath",
    "namewithowner",
    "repository",
    "repo",
    "project",
    "slug",
    "name",
    "fullslug",
];

/// What objects are. A place in this list is part of what is kept, and one byte: new ones go to the end of it.
pub(super) const NOUNS: [&str; 58] = [
    "owner",
    "user",
    "org",
    "organization",
    "organisation",
    "team",
    "group",
    "account",
    "customer",
    "tenant",
    "workspace",
    "project",
    "repo",
    "repository",
    "namespace",
    "branch",
    "tag",
    "label",
    "milestone",
    "package",
    "image",
    "author",
    "creator",
    "member",
    "assignee",
    "sender",
    "committer",
    "commit",
    "release",
    "channel",
    "room",
    "space",
    "board",
    "folder",
    "bucket",
    "cluster",
    "region",
    "zone",
    "server",
    "database",
    "device",
    "product",
    "item",
    "category",
    "issue",
    "job",
    "pipeline",
    "environment",
    "app",
    "application",
    "client",
    "company",
    "parent",
    "topic",
    "queue",
    "site",
    "collection",
    "article",
];

/// Fields whose values are words of the API's own, or texts for people.
const NEVER: [&str; 38] = [
    "type",
    "kind",
    "rel",
    "object",
    "resource",
    "event",
    "action",
    "scope",
    "method",
    "verb",
    "op",
    "operation",
    "endpoint",
    "route",
    "format",
    "message",
    "msg",
    "error",
    "reason",
    "description",
    "detail",
    "title",
    "text",
    "body",
    "content",
    "class",
    "model",
    "entity",
    "schema",
    "level",
    "permission",
    "feature",
    "module",
    "command",
    "field",
    "property",
    "view",
    "url",
];

/// Objects and lists below which the API speaks of itself, or of an error.
const DEAF: [&str; 35] = [
    "resource",
    "api",
    "apis",
    "endpoint",
    "route",
    "path",
    "operation",
    "method",
    "action",
    "feature",
    "permission",
    "scope",
    "verb",
    "parameter",
    "schema",
    "property",
    "column",
    "metric",
    "header",
    "error",
    "capability",
    "type",
    "kind",
    "module",
    "command",
    "link",
    "url",
    "definition",
    "component",
    "field",
    "menu",
    "navigation",
    "event",
    "plugin",
    "help",
];

/// Objects and lists that only hold others.
const TRANSPARENT: [&str; 24] = [
    "data",
    "item",
    "result",
    "value",
    "record",
    "list",
    "content",
    "object",
    "hit",
    "entry",
    "embedded",
    "attribute",
    "metadata",
    "node",
    "edge",
    "response",
    "payload",
    "doc",
    "row",
    "page",
    "source",
    "collection",
    "element",
    "body",
];

/// Bytes of a name that are looked at.
pub(super) const NAME: usize = 48;

/// A name in lower case and in the singular, without joints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stem {
    bytes: [u8; NAME],
    len: usize,
    /// Where its last word begins.
    last: usize,
}

impl Default for Stem {
    fn default() -> Self {
        Self { bytes: [0; NAME], len: 0, last: 0 }
    }
}

impl Stem {
    /// Makes it of a name; of a longer one of its beginning.
    pub(super) fn of(&mut self, name: &[u8]) {
        self.flat(name);
        self.len = singular(&self.bytes[..self.len]);
        self.last = self.last.min(self.len);
    }

    /// The same, in the number that it is in.
    fn flat(&mut self, name: &[u8]) {
        (self.len, self.last) = (0, 0);
        let mut fresh = true;
        let mut lower = false;
        for byte in name.iter().take(NAME) {
            if !byte.is_ascii_alphanumeric() {
                fresh = true;
                continue;
            }
            if fresh || (lower && byte.is_ascii_uppercase()) {
                self.last = self.len;
            }
            (fresh, lower) = (false, byte.is_ascii_lowercase());
            self.bytes[self.len] = byte.to_ascii_lowercase();
            self.len += 1;
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Its last word, and what stands before.
    fn parts(&self) -> (&[u8], &[u8]) {
        let (before, last) = self.bytes().split_at(self.last.min(self.len));
        (last, before)
    }
}

/// Bytes that a word has in the singular, as far as its end tells. What no end tells (`y` or `ie`, a silent `e`) is left out, so that
/// both numbers have the same stem.
fn singular(word: &[u8]) -> usize {
    let ends = |word: &[u8], end: &str| word.ends_with(end.as_bytes());
    let any = |all: &[&str]| all.iter().any(|end| ends(word, end));
    let len = word.len();
    let len = if len > 4 && any(&["ies"]) {
        len - 3
    } else if len > 3 && any(&["y"]) && !any(&["ay", "ey", "oy", "uy"]) {
        len - 1
    } else if len > 4 && any(&["sses", "shes", "ches", "xes", "zzes", "uses"]) {
        len - 2
    } else if len > 3 && any(&["s"]) && !any(&["ss", "us", "is"]) {
        len - 1
    } else {
        len
    };
    if len > 4 && ends(&word[..len], "e") { len - 1 } else { len }
}

/// Is a stem that of one of these words?
fn among(stem: &[u8], words: &[&str]) -> Option<usize> {
    words.iter().position(|word| &word.as_bytes()[..singular(word.as_bytes())] == stem)
}

/// What an object is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noun {
    /// By its number, from 1.
    known: u8,
    /// By hash, where it has a name.
    hashed: Option<Origin>,
}

impl Noun {
    fn of(key: &Key, stem: &[u8]) -> Self {
        if stem.is_empty() {
            return Self::default();
        }
        let known = among(stem, &NOUNS).map_or(0, |at| at as u8 + 1);
        Self { known, hashed: Some(Origin::hashed(key, stem)) }
    }
}

/// What stands under a name, where it is an object or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// Objects that are that.
    Things(Noun),
    /// What stands around it.
    Same,
    /// Nothing that proves a value.
    Deaf,
}

/// What an object or a list under this name holds.
pub(super) fn below(key: &Key, name: &[u8]) -> Below {
    let mut stem = Stem::default();
    stem.of(name);
    let (last, _) = stem.parts();
    if stem.bytes().is_empty() || among(stem.bytes(), &TRANSPARENT).is_some() {
        Below::Same
    } else if among(last, &DEAF).is_some() {
        Below::Deaf
    } else {
        Below::Things(Noun::of(key, stem.bytes()))
    }
}

/// The origins of a value in a field of this name (of an object that is a `noun`), and whether it may be several names in one.
pub(super) fn origins(key: &Key, name: &[u8], noun: Noun) -> ([Option<Origin>; 2], bool) {
    let mut flat = Stem::default();
    flat.flat(name);
    let whole = flat.bytes();
    let leaf = |word: &[u8]| LEAVES.iter().position(|leaf| leaf.flat.as_bytes() == word);
    let several = WHOLE_NAMES.iter().any(|several| several.as_bytes() == whole);
    let (last, before) = flat.parts();
    let (number, noun) = match (leaf(whole), leaf(last)) {
        (Some(number), _) => (Some(number), noun),
        (None, Some(number)) => {
            let stem = &before[..singular(before)];
            (Some(number), Noun::of(key, stem))
        }
        _ => (None, noun),
    };
    if number == Some(LOCATION.into()) {
        // Of bodies, only what a place is called by its own name.
        return ([Some(Origin::hashed(key, b"location")), None], false);
    }
    if number == Some(FULL_NAME.into()) {
        return ([None; 2], true);
    }
    if let Some(number) = number {
        let known = Origin::known(number as u8, noun.known);
        let named = if whole == last { Some(Origin::hashed(key, &whole[..singular(whole)])) } else { None };
        // A thing of a name that is not known: by the hash of that; a name of its own (`"repo": "tools"`): by that.
        return ([Some(known), noun.hashed.or(named)], several);
    }
    let stem = &last[..singular(last)];
    if stem.is_empty() || among(stem, &NEVER).is_some() {
        return ([None; 2], several);
    }
    ([Some(Origin::hashed(key, stem)), None], several)
}

/// How a path calls what a list holds that this word, the last of a path, stands for: only of plurals.
pub(super) fn collection(key: &Key, word: &[u8]) -> Option<Origin> {
    let plural =
        word.len() > 3 && word.ends_with(b"s") && ![&b"ss"[..], b"us", b"is"].iter().any(|e| word.ends_with(e));
    let mut stem = Stem::default();
    stem.of(word);
    let speaks_of_itself = |words: &[&str]| among(stem.parts().0, words).is_some();
    (plural && !speaks_of_itself(&DEAF) && !speaks_of_itself(&TRANSPARENT)).then(|| Origin::hashed(key, stem.bytes()))
}

/// The origin of texts in a list under this name.
pub(super) fn listed(key: &Key, name: &[u8]) -> Option<Origin> {
    let mut stem = Stem::default();
    stem.of(name);
    let (last, _) = stem.parts();
    let no = last.is_empty() || [&TRANSPARENT[..], &DEAF, &NEVER].iter().any(|words| among(last, words).is_some());
    (!no).then(|| Origin::hashed(key, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, of: &str) -> Vec<String> {
        let mut stem = Stem::default();
        stem.of(of.as_bytes());
        let noun = Noun::of(&Key::FIXED, stem.bytes());
        let say = |o: Origin| match (o.noun(), o.leaf()) {
            (_, None) => "named".to_owned(),
            (Some(noun), Some(leaf)) => format!("{noun}.{leaf}"),
            (None, Some(leaf)) => leaf.to_owned(),
        };
        origins(&Key::FIXED, name.as_bytes(), noun).0.into_iter().flatten().map(say).collect()
    }

    #[test]
    fn fields_are_known_by_name_and_by_their_object() {
        assert_eq!(told("login", "owner"), ["owner.login", "named"]);
        assert_eq!(told("user_name", ""), ["username"], "a name of its own is no thing");
        assert_eq!(told("ownerName", "repository"), ["owner.name", "named"]);
        assert_eq!(told("id", ""), ["id", "named"]);
        assert_eq!(told("category", ""), ["named"]);
        assert_eq!(told("default_branch", ""), ["named"]);
        for never in
            ["type", "kind", "resource", "resources", "action", "rel", "scope", "event_type", "html_url", "error"]
        {
            assert_eq!(told(never, "user"), [""; 0], "{never}");
        }
    }

    #[test]
    fn a_path_and_a_field_call_a_thing_by_the_same_name() {
        let path = |word: &str| Origin::named(&Key::FIXED, word);
        let field = |name: &str| origins(&Key::FIXED, name.as_bytes(), Noun::default()).0[0];
        for (word, name) in [
            ("categories", "category"),
            ("branches", "default_branch"),
            ("branches", "branch"),
            ("boxes", "box"),
            ("warehouses", "warehouse"),
        ] {
            assert_eq!(field(name), Some(path(word)), "{word} {name}");
        }
        assert_eq!(listed(&Key::FIXED, b"repositories"), Some(path("repository")));
        assert_ne!(path("users"), path("orders"));
    }

    #[test]
    fn objects_below_are_things_or_not() {
        assert!(matches!(below(&Key::FIXED, b"owner"), Below::Things(Noun { known: 1, .. })));
        assert_eq!(below(&Key::FIXED, b"data"), Below::Same);
        assert_eq!(below(&Key::FIXED, b"items"), Below::Same);
        for deaf in ["resources", "paths", "_links", "errors", "apis"] {
            assert_eq!(below(&Key::FIXED, deaf.as_bytes()), Below::Deaf, "{deaf}");
        }
    }
}
