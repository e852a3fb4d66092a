//! From text to a configuration that makes sense.
//!
//! Takes a file, gives a [`Config`] or the first thing that is wrong in it. Never touches anything but that file.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::suggest::nearest;
use super::{Config, ConfigError};
use crate::observe::Network;
use crate::spec::ServicePattern;

/// A configuration has a few KiB.
const MAX_BYTES: u64 = 16 << 20;

pub(super) fn file(path: &Path) -> Result<Config, ConfigError> {
    let whole = |what: String, remedy: &str| ConfigError {
        file: path.to_owned(),
        line: None,
        key: String::new(),
        what,
        remedy: remedy.to_owned(),
    };
    let unreadable = |e: std::io::Error| {
        let remedy = match e.kind() {
            std::io::ErrorKind::NotFound => "give the file with --config; systemd/shadowtap.toml is one to start from",
            std::io::ErrorKind::PermissionDenied => "let the daemon's user read it",
            _ => "",
        };
        whole(format!("cannot read it: {e}"), remedy)
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.len() > MAX_BYTES {
        return Err(whole("it is larger than 16 MiB".into(), "this is not a configuration file"));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| whole("it is not UTF-8".into(), "save it as UTF-8"))?;
    let mut config = parse(path, &text)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    config.store.folder = folder.join(&config.store.folder);
    if let Some(f) = &mut config.folder {
        f.path = folder.join(&f.path);
    }
    for path in config.tls.keylog.iter_mut().chain(&mut config.tls.rsa_key) {
        *path = folder.join(&*path);
    }
    if !config.tls.socket.as_os_str().is_empty() {
        config.tls.socket = folder.join(&config.tls.socket);
    }
    for spec in &mut config.specs {
        spec.file = folder.join(&spec.file);
    }
    Ok(config)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source { path, text };
    let tree = DeTable::parse(text)
        .map_err(|e| source.error(e.span(), String::new(), format!("not TOML: {}", e.message()), String::new()))?;
    let config = match serde::Deserialize::deserialize(toml::Deserializer::from(tree.clone())) {
        Ok(config) => config,
        Err(e) => return Err(refused(&source, &tree, &e)),
    };
    sense(&source, &tree, &config)?;
    Ok(config)
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn error(&self, span: Option<Range<usize>>, key: String, what: String, remedy: String) -> ConfigError {
        let line = span.map(|s| self.text.bytes().take(s.start).filter(|b| *b == b'\n').count() + 1);
        ConfigError { file: self.path.to_owned(), line, key, what, remedy }
    }
}

/// The parser's word in ours: which key, and what was meant.
fn refused(source: &Source<'_>, tree: &Spanned<DeTable<'_>>, e: &toml::de::Error) -> ConfigError {
    let span = e.span();
    let key = span.as_ref().map_or(String::new(), |s| key_at(tree.get_ref(), s.start).unwrap_or_default());
    let message = e.message();
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let what = if message.starts_with("unknown field") { "unknown key" } else { "unknown value" };
        let (word, known) = quoted.split_first().map_or(("", &[][..]), |(w, k)| (*w, k));
        let remedy = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "nothing can be set here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        let what = if key.ends_with(word) { what.to_owned() } else { format!("{what} `{word}`") };
        return source.error(span, key, what, remedy);
    }
    if let (true, [missing]) = (message.starts_with("missing field"), &quoted[..]) {
        return source.error(span, key, format!("`{missing}` is missing"), format!("add `{missing} = …`"));
    }
    source.error(span, key, message.to_owned(), String::new())
}

/// The dotted path of the key whose name or value covers a place in the text.
fn key_at(table: &DeTable<'_>, at: usize) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    visit(table, "", &mut |path, span| {
        if span.contains(&at) && best.as_ref().is_none_or(|(len, _)| span.len() <= *len) {
            best = Some((span.len(), path.to_owned()));
        }
    });
    best.map(|(_, path)| path)
}

fn visit(table: &DeTable<'_>, prefix: &str, f: &mut dyn FnMut(&str, Range<usize>)) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        f(&path, key.span());
        visit_value(value, &path, f);
    }
}

fn visit_value(value: &Spanned<DeValue<'_>>, path: &str, f: &mut dyn FnMut(&str, Range<usize>)) {
    f(path, value.span());
    match value.get_ref() {
        DeValue::Table(table) => visit(table, path, f),
        DeValue::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                visit_value(item, &format!("{path}[{}]", n + 1), f);
            }
        }
        _ => {}
    }
}

/// Values that have the right type and no meaning.
fn sense(source: &Source<'_>, tree: &Spanned<DeTable<'_>>, config: &Config) -> Result<(), ConfigError> {
    let wrong = |key: &str, what: &str, remedy: &str| {
        let mut span = None;
        visit(tree.get_ref(), "", &mut |path, s| {
            if path == key && span.is_none() {
                span = Some(s);
            }
        });
        Err(source.error(span, key.to_owned(), what.to_owned(), remedy.to_owned()))
    };
    if config.interfaces.is_empty() && config.folder.is_none() {
        let remedy = "name an [[interface]] (`shadowtap interfaces` lists them) or a [folder]";
        return wrong("", "there is nothing to capture from", remedy);
    }
    for (n, interface) in config.interfaces.iter().enumerate() {
        let key = |name: &str| format!("interface[{}].{name}", n + 1);
        if interface.name.is_empty() {
            return wrong(&key("name"), "it is empty", "`shadowtap interfaces` lists what there is");
        }
        if config.interfaces[..n].iter().any(|i| i.name == interface.name && i.filter == interface.filter) {
            return wrong(&key("name"), "this interface is named twice", "its traffic would count twice; remove one");
        }
        // An Ethernet, an IPv6 and a TCP header; anything less shows no request.
        if !(128..=1 << 20).contains(&interface.snaplen) {
            return wrong(&key("snaplen"), "out of range", "give 128 to 1048576 bytes; 262144 takes whole frames");
        }
        if !(1 << 20..=1 << 30).contains(&interface.buffer_bytes) {
            return wrong(&key("buffer_bytes"), "out of range", "give 1048576 (1 MiB) to 1073741824 (1 GiB)");
        }
    }
    if let Some(folder) = &config.folder {
        if folder.path.as_os_str().is_empty() {
            return wrong("folder.path", "it is empty", "name the folder that the capture files come into");
        }
        if globset::Glob::new(&folder.pattern).is_err() || folder.pattern.contains('/') {
            return wrong("folder.pattern", "not a pattern of file names", "`*` and `?` stand for any characters");
        }
        if !(10..=60_000).contains(&folder.poll_milliseconds) {
            return wrong("folder.poll_milliseconds", "out of range", "give 10 to 60000");
        }
    }
    if config.store.folder.as_os_str().is_empty() {
        return wrong("store.folder", "it is empty", "name the folder that the inventory is kept in");
    }
    if !(1..=3600).contains(&config.store.commit_seconds) {
        return wrong(
            "store.commit_seconds",
            "out of range",
            "give 1 to 3600; what came after the last commit can be lost",
        );
    }
    if config.store.snapshot_seconds < config.store.commit_seconds || config.store.snapshot_seconds > 86_400 {
        return wrong("store.snapshot_seconds", "out of range", "give at least `commit_seconds` and at most 86400");
    }
    if !(8..=65_536).contains(&config.queue_batches) {
        return wrong("queue_batches", "out of range", "give 8 to 65536; 512 are up to 32 MiB");
    }
    if let Some(n) = config.trusted_proxies.iter().position(|t| t.parse::<Network>().is_err()) {
        let key = format!("trusted_proxies[{}]", n + 1);
        return wrong(&key, "not a network", "give an address or a prefix: \"10.0.0.0/8\", \"2001:db8::/32\"");
    }
    for (n, spec) in config.specs.iter().enumerate() {
        let key = |name: &str| format!("spec[{}].{name}", n + 1);
        for (name, prefix) in [("strip_prefix", &spec.strip_prefix), ("add_prefix", &spec.add_prefix)] {
            if !prefix.is_empty() && !prefix.starts_with('/') {
                return wrong(&key(name), "not a path", &format!("begin it with a slash: `/{prefix}`"));
            }
        }
        if let Some(m) = spec.services.iter().position(|s| s.parse::<ServicePattern>().is_err()) {
            let key = format!("{}[{}]", key("services"), m + 1);
            return wrong(&key, "not a service", "give `host` or `host:port`, without scheme and path");
        }
    }
    for (n, rule) in config.rules.iter().enumerate() {
        if let Err(why) = rule.to_inventory() {
            let remedy = "write it as `/users/*/orders`, where `*` stands for one segment";
            return wrong(&format!("rule[{}].path", n + 1), &why, remedy);
        }
    }
    bounds(config, &wrong)
}

/// A limit of 0 would let everything go, and one that no machine can hold is none.
fn bounds(config: &Config, wrong: &dyn Fn(&str, &str, &str) -> Result<(), ConfigError>) -> Result<(), ConfigError> {
    let tables =
        [("limits", toml::Value::try_from(&config.limits)), ("inventory", toml::Value::try_from(&config.inventory))];
    for (table, value) in tables {
        for (name, value) in value.ok().as_ref().and_then(|v| v.as_table()).into_iter().flatten() {
            if value.as_integer().is_some_and(|n| n < 1) {
                return wrong(&format!("{table}.{name}"), "it must be at least 1", "leave it out for the default");
            }
        }
    }
    if config.limits.head_bytes < 4096 {
        return wrong(
            "limits.head_bytes",
            "too small",
            "common request heads have up to 16 KiB; the default is 131072",
        );
    }
    if config.limits.total_buffer_bytes < config.limits.flow_buffer_bytes {
        return wrong("limits.total_buffer_bytes", "less than `flow_buffer_bytes`", "raise it or lower that one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Interface, Level};
    use super::*;

    fn wrong(text: &str) -> String {
        parse(Path::new("t.toml"), text).expect_err("is refused").to_string()
    }

    #[test]
    fn the_least_that_works() {
        let config = parse(Path::new("t.toml"), "[[interface]]\nname = \"eth1\"\n").unwrap();
        assert_eq!(config, Config { interfaces: vec![Interface::named("eth1")], ..Config::default() });
        let again = parse(Path::new("t.toml"), &config.to_toml()).unwrap();
        assert_eq!(again, config, "what is printed can be read");
    }

    #[test]
    fn every_value_can_be_said() {
        let text = "user = \"nobody\"\nstatus_seconds = 5\n[[interface]]\nname = \"a\"\nfilter = \"tcp port 80\"\n\
            snaplen = 2000\npromiscuous = false\n[[interface]]\nname = \"b\"\n[folder]\npath = \"x\"\n\
            [limits]\nflows = 7\n[inventory]\nservices = 9\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
            [[spec]]\nfile = \"a.yaml\"\nservices = [\"*.shop.example:8080\", \"[fd00::5]:80\", \"fd00::5\"]\nstrip_prefix = \"/v1\"\n";
        let config = parse(Path::new("t.toml"), text).unwrap();
        assert_eq!(config.interfaces.len(), 2);
        assert_eq!((config.limits.flows, config.inventory.services), (7, 9));
        assert_eq!((config.log.level, config.log.format), (Level::Debug, Format::Json));
        assert_eq!(config.specs[0].services.len(), 3);
        assert_eq!(parse(Path::new("t.toml"), &config.to_toml()).unwrap(), config);
    }

    #[test]
    fn an_error_names_file_line_key_and_remedy() {
        let head = "[[interface]]\nname = \"eth1\"\n";
        for (text, says) in [
            ("[limits]\nflow = 3\n", "t.toml:4: `limits.flow`: unknown key; did you mean `flows`?"),
            ("[limit]\nflows = 3\n", "t.toml:3: `limit`: unknown key; did you mean `limits`?"),
            ("snap = 3\n", "t.toml:3: `interface[1].snap`: unknown key; known here: name, filter,"),
            ("[store]\n\ncommit_seconds = \"2\"\n", "t.toml:5: `store.commit_seconds`: invalid type: string"),
            ("[store]\ncommit_seconds = 0\n", "t.toml:4: `store.commit_seconds`: out of range; give 1 to 3600"),
            ("[log]\nlevel = \"inf\"\n", "t.toml:4: `log.level`: unknown value `inf`; did you mean `info`?"),
            ("[[spec]]\nservices = []\n", "t.toml:3: `spec[1]`: `file` is missing; add `file = …`"),
            ("[[spec]]\nfile = \"a\"\nservices = [\"http://a\"]\n", "t.toml:5: `spec[1].services[1]`: not a service;"),
            (
                "[[spec]]\nfile = \"a\"\nadd_prefix = \"v1\"\n",
                "t.toml:5: `spec[1].add_prefix`: not a path; begin it with a slash: `/v1`",
            ),
            ("[[interface]]\nname = \"eth1\"\n", "t.toml:4: `interface[2].name`: this interface is named twice;"),
            ("[limits]\nflows = 0\n", "t.toml:4: `limits.flows`: it must be at least 1;"),
            ("[limits]\nflows = -1\n", "t.toml:4: `limits.flows`: invalid value: integer `-1`"),
            ("[folder]\npath = \"x\"\npattern = \"a/[\"\n", "t.toml:5: `folder.pattern`: not a pattern of file names;"),
            ("[[rule]]\npath = \"a\"\nis = \"one\"\n", "t.toml:4: `rule[1].path`: \"a\" does not begin with a slash;"),
            (
                "[[rule]]\npath = \"/a\"\nis = \"on\"\n",
                "t.toml:5: `rule[1].is`: unknown value `on`; did you mean `one`?",
            ),
            ("a = = 1\n", "t.toml:3: not TOML:"),
            ("[store\n", "t.toml:3: not TOML:"),
        ] {
            let message = wrong(&format!("{head}{text}"));
            assert!(message.starts_with(says), "{text:?}\n  said   {message}\n  wanted {says}");
        }
        assert!(wrong("").starts_with("t.toml: there is nothing to capture from; name an [[interface]]"));
    }

    #[test]
    fn paths_start_at_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "[folder]\npath = \"in\"\n[store]\nfolder = \"/abs\"\n[[spec]]\nfile = \"b.yaml\"\n").unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.folder.unwrap().path, dir.path().join("in"));
        assert_eq!(config.store.folder, Path::new("/abs"));
        assert_eq!(config.specs[0].file, dir.path().join("b.yaml"));
        let missing = Config::load(&dir.path().join("no.toml")).unwrap_err().to_string();
        assert!(missing.contains("no.toml: cannot read it: ") && missing.contains("--config"), "{missing}");
    }

    /// Lines of the example that are keys commented out begin with `#` and no blank.
    fn uncommented(example: &str) -> String {
        example
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if key.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => key,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_example_has_every_key_with_its_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/shadowtap.toml");
        let text = fs::read_to_string(&path).unwrap();
        let shipped = parse(&path, &text).unwrap();
        assert_eq!(shipped, Config { interfaces: vec![Interface::named("eth1")], ..Config::default() });
        let all = uncommented(&text);
        let parsed = parse(&path, &all).unwrap();
        let folder = super::super::Folder::at(Path::new("/var/spool/captures"));
        let spec = super::super::Spec::at(Path::new("/etc/shadowtap/openapi.yaml"));
        let defaults = Config {
            interfaces: vec![Interface::named("eth1")],
            folder: Some(folder),
            specs: vec![spec],
            rules: vec![super::super::Rule {
                host: String::new(),
                path: "/users/*/settings".to_owned(),
                is: super::super::Is::Literal,
            }],
            ..Config::default()
        };
        assert_eq!(parsed, defaults);
        let said: toml::Table = all.parse().unwrap();
        assert_eq!(said, toml::Table::try_from(&defaults).unwrap(), "every key is there");
    }

    #[test]
    fn trusted_proxies_are_networks() {
        let parsed =
            |list: &str| parse(Path::new("a.toml"), &format!("trusted_proxies = {list}\n[[interface]]\nname = \"a\""));
        assert!(!parsed("[\"10.0.0.0/8\", \"::1\"]").unwrap().trusted().is_empty());
        assert!(parsed("[]").unwrap().trusted().is_empty());
        let error = parsed("[\"10.0.0.0/8\", \"balancer\"]").unwrap_err().to_string();
        assert!(error.contains("trusted_proxies[2]") && error.contains("10.0.0.0/8"), "{error}");
    }

    #[test]
    fn the_reference_names_every_key() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let reference = fs::read_to_string(root.join("docs/configuration.md")).unwrap();
        let example = uncommented(&fs::read_to_string(root.join("systemd/shadowtap.toml")).unwrap());
        let tree = DeTable::parse(&example).unwrap();
        let mut missing = Vec::new();
        visit(tree.get_ref(), "", &mut |path, _| {
            let key = path.rsplit('.').next().unwrap_or(path).split('[').next().unwrap_or(path);
            if ![format!("`{key}`"), format!("[{key}]"), format!("[{path}]")].iter().any(|n| reference.contains(n)) {
                missing.push(path.to_owned());
            }
        });
        assert!(missing.is_empty(), "docs/configuration.md does not name {missing:?}");
    }
}
