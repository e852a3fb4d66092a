//! gRPC services as documents: `.proto` files, and descriptor sets (`protoc -o`).
//!
//! Takes the bytes of a file, and through the [`Loader`] those that it imports; gives a [`Contract`] whose operations are
//! `POST /package.Service/Method`, and the fields of all messages that are known. An import that can't be found costs the
//! types that it defines, no more. Never follows an import out of the folder of the document unless that is allowed.

mod names;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto, UninterpretedOption,
};

use self::names::Names;
use super::contract::{Contract, Operation, Rpc, Version};
use super::documents::{folder, inside, normalise};
use super::error::{SpecError, Warning};
use super::server::{self, HostRule, ServerRule};
use super::{Loader, Options};
use crate::inventory::documented::Part;

/// What a syntax error is told with.
const REMEDY: &str = "mend it there, or give what `protoc --include_imports -o set.pb FILE` makes of it";

/// Tags of services, methods and files in the places of a descriptor (descriptor.proto, SourceCodeInfo).
const SERVICE: i32 = 6;
const METHOD: i32 = 2;

/// Is this a document about gRPC? Told by name for `.proto` files, by content for descriptor sets.
pub(super) fn is_proto(path: &str, bytes: &[u8]) -> bool {
    is_source(path) || descriptor_set(bytes).is_some()
}

fn is_source(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.to_ascii_lowercase().ends_with(".proto"))
}

/// A set begins with its first file, and a file with its name. No text that is JSON or YAML can be read as that.
fn descriptor_set(bytes: &[u8]) -> Option<FileDescriptorSet> {
    if bytes.first() != Some(&0x0a) {
        return None;
    }
    let set = FileDescriptorSet::decode(bytes).ok()?;
    let named = |file: &FileDescriptorProto| file.name.as_ref().is_some_and(|name| name.ends_with(".proto"));
    (!set.file.is_empty() && set.file.iter().all(named)).then_some(set)
}

/// A file with what it is made of.
struct Source {
    path: String,
    file: FileDescriptorProto,
}

/// Reads the document at `path`, whose bytes are at hand.
pub(super) fn load(
    loader: &dyn Loader,
    path: &str,
    bytes: &[u8],
    options: &Options,
) -> Result<(Contract, Vec<Warning>), SpecError> {
    let limits = &options.limits;
    if bytes.len() > limits.file_bytes {
        return Err(limit(path, "file_bytes", limits.file_bytes));
    }
    let mut reading = Reading { loader, options, main: path.to_owned(), warnings: Vec::new() };
    let (sources, format) = match descriptor_set(bytes) {
        Some(set) if !is_source(path) => {
            let source = |file| Source { path: path.to_owned(), file };
            (set.file.into_iter().map(source).collect(), Version::DescriptorSet)
        }
        _ => (reading.sources(bytes)?, Version::Proto),
    };
    let contract = reading.contract(&sources, format)?;
    reading.warnings.sort();
    reading.warnings.dedup();
    reading.warnings.truncate(limits.warnings);
    Ok((contract, reading.warnings))
}

struct Reading<'l> {
    loader: &'l dyn Loader,
    options: &'l Options,
    main: String,
    warnings: Vec<Warning>,
}

impl Reading<'_> {
    fn warn(&mut self, file: &str, message: String) {
        if self.warnings.len() < self.options.limits.warnings.saturating_mul(10) {
            self.warnings.push(Warning { file: file.to_owned(), line: None, pointer: String::new(), message });
        }
    }

    /// The main file and all that it imports.
    fn sources(&mut self, bytes: &[u8]) -> Result<Vec<Source>, SpecError> {
        let limits = &self.options.limits;
        let main = self.main.clone();
        let mut sources = vec![Source { file: parse(&main, bytes)?, path: main }];
        let (mut total, mut next) = (bytes.len(), 0);
        let mut known = BTreeSet::new();
        while let Some(source) = sources.get(next) {
            next += 1;
            let (importer, imports) = (source.path.clone(), source.file.dependency.clone());
            for import in imports {
                // Those of Google hold no types of the API's own, and every compiler has them built in.
                if !known.insert(import.clone()) || import.starts_with("google/") {
                    continue;
                }
                if sources.len() >= limits.files {
                    return Err(limit(&self.main, "files", limits.files));
                }
                let Some((path, bytes)) = self.find(&import) else {
                    let message = format!("import \"{import}\" was not found; the types that it defines are not known");
                    self.warn(&importer, message);
                    continue;
                };
                total += bytes.len();
                if total > limits.total_bytes || bytes.len() > limits.file_bytes {
                    return Err(limit(&self.main, "total_bytes", limits.total_bytes));
                }
                match parse(&path, &bytes) {
                    Ok(file) => sources.push(Source { path, file }),
                    Err(error) => self.warn(&importer, format!("import \"{import}\" is left out: {error}")),
                }
            }
        }
        Ok(sources)
    }

    /// An imported file. Imports are relative to a root that only the compiler's command line names: the folder of the
    /// document, or one above it.
    fn find(&self, import: &str) -> Option<(String, Vec<u8>)> {
        let home = folder(&self.main);
        let mut root = home;
        loop {
            let path = normalise(&format!("{root}{import}"));
            if (self.options.outside_folder || inside(home, &path))
                && path != self.main
                && let Ok(bytes) = self.loader.read(&path)
            {
                return Some((path, bytes));
            }
            let above = folder(root.strip_suffix('/')?);
            if above == root {
                return None;
            }
            root = above;
        }
    }

    fn contract(&mut self, sources: &[Source], format: Version) -> Result<Contract, SpecError> {
        let names = Names::of(sources.iter().map(|source| &source.file));
        let title = self.main.rsplit('/').next().unwrap_or_default().to_owned();
        let mut contract = Contract {
            title,
            version: String::new(),
            source: self.main.clone(),
            format,
            operations: Vec::new(),
            messages: BTreeMap::new(),
        };
        // What a file imports is there for its types; a set is what somebody chose.
        let documented = if format == Version::Proto { &sources[..sources.len().min(1)] } else { sources };
        for source in documented {
            for (number, service) in (0..).zip(&source.file.service) {
                for (at, method) in (0..).zip(&service.method) {
                    if contract.operations.len() >= self.options.limits.operations {
                        return Err(limit(&self.main, "operations", self.options.limits.operations));
                    }
                    let place = [SERVICE, number, METHOD, at];
                    contract.operations.extend(self.operation(source, service, method, &place, &names));
                }
            }
        }
        if contract.operations.is_empty() {
            self.warn(&self.main.clone(), "no service is defined here: nothing to hold traffic against".to_owned());
        }
        contract.messages = names.messages(self.options.limits.nodes);
        Ok(contract)
    }

    fn operation(
        &self,
        source: &Source,
        service: &ServiceDescriptorProto,
        method: &MethodDescriptorProto,
        place: &[i32],
        names: &Names<'_>,
    ) -> Option<Operation> {
        let file = &source.file;
        let package = file.package.as_deref().unwrap_or_default();
        let (service_name, method_name) = (service.name.as_deref()?, method.name.as_deref()?);
        let full = if package.is_empty() { service_name.to_owned() } else { format!("{package}.{service_name}") };
        let template = [Part::Literal(full.clone()), Part::Literal(method_name.to_owned())];
        let line = file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .find(|location| location.path == place)
            .and_then(|location| location.span.first());
        let pointer = match line {
            Some(line) => format!("{}:{}", source.path, line.saturating_add(1)),
            None => format!("{}#{full}.{method_name}", source.path),
        };
        Some(Operation {
            method: "POST".to_owned(),
            path: format!("/{full}/{method_name}"),
            servers: self.servers(&template),
            variant: None,
            deprecated: method.options.iter().any(|o| deprecated(o.deprecated, &o.uninterpreted_option))
                || service.options.iter().any(|o| deprecated(o.deprecated, &o.uninterpreted_option))
                || file.options.iter().any(|o| deprecated(o.deprecated, &o.uninterpreted_option)),
            responses: Vec::new(),
            query: Vec::new(),
            any_query: false,
            request_types: Vec::new(),
            pointer,
            rpc: Some(Rpc {
                request: names.resolve(method.input_type.as_deref().unwrap_or_default(), package),
                response: names.resolve(method.output_type.as_deref().unwrap_or_default(), package),
                client_streams: method.client_streaming == Some(true),
                server_streams: method.server_streaming == Some(true),
            }),
        })
    }

    /// Such a document names no servers; the configuration may name services and prefixes.
    fn servers(&self, template: &[Part]) -> Vec<ServerRule> {
        let prefix = |text: &Option<String>| text.as_deref().map(server::base_path).unwrap_or_default();
        let mut segments = template.to_vec();
        server::rewrite(&mut segments, &prefix(&self.options.strip_prefix), &prefix(&self.options.add_prefix));
        let base = segments.len().saturating_sub(template.len());
        if self.options.services.is_empty() {
            return vec![ServerRule { host: HostRule::Any, port: None, segments, base }];
        }
        let services = self.options.services.iter();
        services.map(|s| ServerRule { host: s.host.clone(), port: s.port, segments: segments.clone(), base }).collect()
    }
}

/// Is something marked as deprecated? In a `.proto` file options are as they are written, in a set they are read.
fn deprecated(read: Option<bool>, written: &[UninterpretedOption]) -> bool {
    let says_so = |option: &UninterpretedOption| {
        matches!(option.name.as_slice(), [part] if part.name_part == "deprecated" && !part.is_extension)
            && option.identifier_value.as_deref() == Some("true")
    };
    read == Some(true) || written.iter().any(says_so)
}

fn parse(path: &str, bytes: &[u8]) -> Result<FileDescriptorProto, SpecError> {
    let text = std::str::from_utf8(bytes).map_err(|error| SpecError::Syntax {
        file: path.to_owned(),
        line: line_of(bytes, error.valid_up_to()),
        column: 0,
        format: "a .proto file",
        reason: "it is not UTF-8; save it as such".to_owned(),
    })?;
    protox_parse::parse(path, text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|error| {
        let at = error.span().map(|span| span.start);
        SpecError::Syntax {
            file: path.to_owned(),
            line: at.map_or_else(|| line_of(bytes, bytes.trim_ascii_end().len()), |at| line_of(bytes, at)),
            column: at.map_or(0, |at| column_of(bytes, at)),
            format: "a .proto file",
            reason: format!("{error}; {REMEDY}"),
        }
    })
}

fn before(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(..at).unwrap_or(bytes)
}

fn line_of(bytes: &[u8], at: usize) -> u64 {
    1 + before(bytes, at).iter().filter(|b| **b == b'\n').count() as u64
}

fn column_of(bytes: &[u8], at: usize) -> u64 {
    1 + before(bytes, at).iter().rev().take_while(|b| **b != b'\n').count() as u64
}

fn limit(file: &str, limit: &'static str, value: usize) -> SpecError {
    SpecError::Limit { file: file.to_owned(), limit, value }
}
