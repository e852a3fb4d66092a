//! Keeps the house in order: floors import only lower floors, clocks and files stay above floor 7, and each module
//! says at its top what it is for. See `docs/architecture.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → floor.
const FLOORS: &[(&str, u32)] = &[
    ("base", 0),
    ("wire", 1),
    ("stream", 2),
    ("proto", 3),
    ("exchange", 4),
    ("observe", 5),
    ("inventory", 6),
    ("spec", 7),
    ("diff", 7),
    ("report", 7),
    ("capture", 8),
    ("console", 8),
    ("sink", 8),
    ("pipeline", 9),
    ("config", 9),
    ("daemon", 9),
    ("cli", 9),
];

/// Neighbours on one floor that may know each other, one way.
const NEIGHBOURS: &[(&str, &str)] = &[
    ("diff", "spec"),
    ("report", "diff"),
    ("capture", "sink"),
    ("pipeline", "config"),
    ("daemon", "config"),
    ("daemon", "pipeline"),
    ("cli", "config"),
    ("cli", "daemon"),
    ("cli", "pipeline"),
];

/// Not allowed below floor 8, except in `inventory::store`.
const OUTSIDE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "File::open",
    "std::env",
    "std::thread",
    "std::net::Tcp",
    "Timestamp::now",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, out: &mut Vec<(PathBuf, String)>) {
        let mut entries: Vec<_> =
            fs::read_dir(dir).expect("src is readable").map(|e| e.expect("entry").path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("source is UTF-8");
                out.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut out = Vec::new();
    walk(&root, &mut out);
    assert!(out.len() > 10, "the sources were found");
    out.into_iter().map(|(p, t)| (p.strip_prefix(&root).expect("below src").to_owned(), t)).collect()
}

fn module_of(path: &Path) -> String {
    path.components().next().expect("a path").as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The code of a file without its unit tests: those may look anywhere.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().expect("at least one part")
}

#[test]
fn floors_import_only_lower_floors() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let Some(&floor) = floors.get(module.as_str()) else {
            assert!(matches!(module.as_str(), "lib" | "main"), "{} is on no floor: add it to FLOORS", path.display());
            continue;
        };
        for (n, line) in code(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for part in line.split("crate::").skip(1) {
                let other: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let Some(&of) = floors.get(other.as_str()) else { continue };
                let neighbour = NEIGHBOURS.contains(&(module.as_str(), other.as_str()));
                if other != module && of >= floor && !neighbour {
                    wrong.push(format!(
                        "{}:{}: `{module}` (floor {floor}) names `{other}` (floor {of})",
                        path.display(),
                        n + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a floor knows only the floors below it:\n{}", wrong.join("\n"));
}

#[test]
fn clocks_and_files_stay_outside() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let below = floors.get(module_of(&path).as_str()).is_some_and(|f| *f < 8);
        if !below || path.starts_with("inventory/store") || path.starts_with("inventory/store.rs") {
            continue;
        }
        for (n, line) in code(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in OUTSIDE.iter().filter(|w| line.contains(**w)) {
                wrong.push(format!("{}:{}: {word}", path.display(), n + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "below floor 8 nothing touches the outside world:\n{}", wrong.join("\n"));
}

#[test]
fn each_module_says_what_it_is_for() {
    let missing: Vec<_> =
        sources().into_iter().filter(|(_, t)| !t.starts_with("//! ")).map(|(p, _)| p.display().to_string()).collect();
    assert!(missing.is_empty(), "no opening paragraph (`//! …`): {missing:?}");
}
