//! The files of a document, and references into them.
//!
//! Takes a loader, gives parsed files by path and the values that `$ref`s lead to (RFC 6901 pointers, RFC 3986
//! references). A file outside of the main document's folder is refused unless allowed; a reference to the network is
//! refused always; circles end at a limit. Symbolic links are the loader's matter: who may place a link in the folder
//! may place a file. Never loads a file twice, failed ones included.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::{SpecError, Warning};
use super::text::{self, Text};
use super::{Loader, Options};

/// A file that was loaded.
pub struct Document {
    /// Its path.
    pub path: String,
    /// Its content.
    pub text: Text,
}

/// All files that were loaded.
pub struct Documents<'l> {
    loader: &'l dyn Loader,
    /// Folder of the main document: what references may not leave.
    folder: String,
    options: &'l Options,
    files: Vec<Document>,
    /// Path → index into `files`, or why it is not there.
    index: BTreeMap<String, Result<usize, String>>,
    bytes: usize,
    warnings: Vec<Warning>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node<'d> {
    /// Index of the file.
    pub file: usize,
    /// JSON pointer within it.
    pub pointer: String,
    /// The value.
    pub value: &'d Value,
}

impl<'d> Node<'d> {
    /// The value under a key; nothing where it is null.
    pub fn get(&self, key: &str) -> Option<Node<'d>> {
        let value = self.value.get(key).filter(|v| !v.is_null())?;
        Some(self.child(key, value))
    }

    /// The entries of an object, in document order.
    pub fn entries(&self) -> impl Iterator<Item = (&'d str, Node<'d>)> + '_ {
        self.value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), self.child(key, value)))
    }

    /// The elements of a list.
    pub fn elements(&self) -> impl Iterator<Item = Node<'d>> + '_ {
        self.value.as_array().into_iter().flatten().enumerate().map(|(n, value)| self.child(&n.to_string(), value))
    }

    fn child(&self, key: &str, value: &'d Value) -> Node<'d> {
        let mut pointer = self.pointer.clone();
        text::push_key(&mut pointer, key);
        Node { file: self.file, pointer, value }
    }

    /// A string; numbers and booleans as their text.
    pub fn text(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// The text under a key.
    pub fn text_at(&self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }

    /// Is a flag set? `true`, and what people write for it.
    pub fn flag(&self, key: &str) -> bool {
        match self.value.get(key) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => ["true", "yes", "on", "1"].iter().any(|t| text.eq_ignore_ascii_case(t)),
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            _ => false,
        }
    }
}

/// Why a reference leads nowhere.
#[derive(Debug)]
pub enum Astray {
    /// The file is not loaded yet.
    Wanted(String),
    /// It cannot be followed.
    Broken(String),
}

impl<'l> Documents<'l> {
    /// None yet.
    pub fn new(loader: &'l dyn Loader, folder: String, options: &'l Options) -> Self {
        Self { loader, folder, options, files: Vec::new(), index: BTreeMap::new(), bytes: 0, warnings: Vec::new() }
    }

    /// Takes the main document, whose bytes are at hand.
    pub fn add_main(&mut self, path: &str, bytes: &[u8]) -> Result<(), SpecError> {
        self.keep(path, bytes)
    }

    /// Loads another one; a failure is remembered.
    pub fn add(&mut self, path: &str) {
        let limits = &self.options.limits;
        let result = if self.files.len() >= limits.files {
            Err(format!("over the limit `files` ({})", limits.files))
        } else {
            self.loader.read(path).and_then(|bytes| {
                if self.bytes + bytes.len() > limits.total_bytes {
                    return Err(format!("over the limit `total_bytes` ({})", limits.total_bytes));
                }
                self.keep(path, &bytes).map_err(|error| error.to_string())
            })
        };
        if let Err(reason) = result {
            self.index.insert(path.to_owned(), Err(reason));
        }
    }

    fn keep(&mut self, path: &str, bytes: &[u8]) -> Result<(), SpecError> {
        let text = text::parse(path, bytes, &self.options.limits)?;
        self.bytes += bytes.len();
        for (pointer, message) in &text.mended {
            let warning =
                Warning { file: path.to_owned(), line: None, pointer: pointer.clone(), message: message.clone() };
            self.warnings.push(warning);
        }
        self.index.insert(path.to_owned(), Ok(self.files.len()));
        self.files.push(Document { path: path.to_owned(), text });
        Ok(())
    }

    /// Adds a warning about the main document as a whole.
    pub fn warn(&mut self, message: String) {
        let file = self.main().path.clone();
        self.warnings.push(Warning { file, line: None, pointer: String::new(), message });
    }

    /// The main document.
    pub fn main(&self) -> &Document {
        &self.files[0]
    }

    /// The top of the main document.
    pub fn top(&self) -> Node<'_> {
        Node { file: 0, pointer: String::new(), value: &self.files[0].text.value }
    }

    /// `file#pointer` of a node.
    pub fn place(&self, node: &Node<'_>) -> String {
        format!("{}#{}", self.files[node.file].path, node.pointer)
    }

    /// The path of a node's file.
    pub fn path_of(&self, node: &Node<'_>) -> &str {
        &self.files[node.file].path
    }

    /// One step: what the reference in a file leads to.
    pub fn follow(&self, from: usize, reference: &str) -> Result<Node<'_>, Astray> {
        let broken = |why: String| Err(Astray::Broken(why));
        let reference = reference.trim();
        let (location, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = if location.is_empty() {
            from
        } else {
            let location = location.replace('\\', "/");
            let location = match location.split_once("://") {
                Some(("file", path)) => path.to_owned(),
                Some(_) => return broken("it leads to the network, which is never asked".to_owned()),
                None if location.starts_with("//") => {
                    return broken("it leads to the network, which is never asked".to_owned());
                }
                None => location,
            };
            let path = match percent_decode(&location) {
                path if path.starts_with('/') => normalise(&path),
                path => normalise(&format!("{}{path}", folder(&self.files[from].path))),
            };
            if !self.options.outside_folder && !inside(&self.folder, &path) {
                return broken(format!("`{path}` is outside of the document's folder"));
            }
            match self.index.get(&path) {
                Some(Ok(file)) => *file,
                Some(Err(reason)) => return broken(reason.clone()),
                None => return Err(Astray::Wanted(path)),
            }
        };
        let pointer = percent_decode(fragment);
        let pointer = match pointer.as_str() {
            "" | "/" => String::new(),
            p if p.starts_with('/') => p.to_owned(),
            // `#definitions/Pet`, a slash short.
            p => format!("/{p}"),
        };
        let top = &self.files[file].text.value;
        match top.pointer(&pointer).or_else(|| loose_pointer(top, &pointer)) {
            Some(value) => Ok(Node { file, pointer, value }),
            None => broken(format!("there is no `{pointer}` in {}", self.files[file].path)),
        }
    }

    /// All warnings, sorted, each once, with lines; at most `most`.
    pub fn finish(mut self, more: Vec<Warning>, most: usize) -> Vec<Warning> {
        self.warnings.extend(more);
        self.warnings.sort();
        self.warnings.dedup();
        let dropped = self.warnings.len().saturating_sub(most);
        self.warnings.truncate(most);
        for warning in &mut self.warnings {
            if let Some(Ok(file)) = self.index.get(&warning.file) {
                warning.line = text::line_of(&self.files[*file].text.text, &warning.pointer);
            }
        }
        if dropped > 0 {
            let file = self.main().path.clone();
            let message = format!("{dropped} more warnings are not shown (limit `warnings`)");
            self.warnings.push(Warning { file, line: None, pointer: String::new(), message });
        }
        self.warnings
    }
}

/// A pointer whose tokens hold unescaped slashes, as in `#/paths//pets/get`: tried against keys that begin with `/`.
fn loose_pointer<'v>(top: &'v Value, pointer: &str) -> Option<&'v Value> {
    let rest = pointer.strip_prefix("/paths/")?;
    let paths = top.get("paths")?.as_object()?;
    let (_, value, below) = paths
        .iter()
        .filter_map(|(key, value)| {
            let below = rest.strip_prefix(key.as_str())?;
            (below.is_empty() || below.starts_with('/')).then_some((key.len(), value, below))
        })
        .max_by_key(|(length, ..)| *length)?;
    value.pointer(below)
}

/// The folder of a path, with its slash; empty for a bare name.
pub fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..=end])
}

/// Is a normalised path inside of a normalised folder?
pub fn inside(folder: &str, path: &str) -> bool {
    match folder {
        "" => !path.starts_with('/') && path != ".." && !path.starts_with("../"),
        folder => path.starts_with(folder) && !path[folder.len()..].starts_with("../"),
    }
}

/// Resolves `.`, `..` and `//` by the letter (RFC 3986, 5.2.4); `..` that lead above the start stay.
pub fn normalise(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

/// Undoes percent-encoding (RFC 3986, 2.1); what is not well formed stays, and what is no UTF-8 is replaced.
pub fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_by_the_letter() {
        for (path, expected) in [
            ("a/b.yaml", "a/b.yaml"),
            ("./a//b/../c.yaml", "a/c.yaml"),
            ("../a.yaml", "../a.yaml"),
            ("a/../../b", "../b"),
            ("/a/../../b", "/b"),
            ("../../b", "../../b"),
        ] {
            assert_eq!(normalise(path), expected, "{path}");
        }
    }

    #[test]
    fn a_folder_holds_what_is_below_it_alone() {
        assert!(inside("specs/", "specs/a.yaml"));
        assert!(inside("specs/", "specs/deep/a.yaml"));
        assert!(!inside("specs/", "a.yaml"));
        assert!(!inside("specs/", "specs2/a.yaml"));
        assert!(inside("", "a.yaml"));
        assert!(!inside("", "../a.yaml"));
        assert!(!inside("", "/etc/passwd"));
        assert!(inside("../", "../a.yaml"));
        assert!(!inside("../", "../../a.yaml"));
        assert!(!inside("../", "a.yaml"));
    }

    #[test]
    fn percent_escapes_are_undone() {
        assert_eq!(percent_decode("%7Bid%7d/%C3%A4"), "{id}/ä");
        assert_eq!(percent_decode("100%/%zz/%2"), "100%/%zz/%2");
    }
}
