//! The types of a set of `.proto` files, by their full names.
//!
//! Takes files, gives the full name that a name stands for where it is written (from the innermost scope outwards, as
//! protoc looks), and the fields of each message. A name that nothing defines stays as it is written.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::spec::contract::MessageField;

/// Messages in messages. The parser allows 31, and no set that it made has more.
const DEPTH: usize = 40;

/// All names.
pub(super) struct Names<'f> {
    messages: BTreeMap<String, &'f DescriptorProto>,
    enums: BTreeSet<String>,
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

impl<'f> Names<'f> {
    /// Of these files.
    pub(super) fn of(files: impl Iterator<Item = &'f FileDescriptorProto>) -> Self {
        let mut names = Self { messages: BTreeMap::new(), enums: BTreeSet::new() };
        for file in files {
            let package = file.package.as_deref().unwrap_or_default();
            names.enums.extend(file.enum_type.iter().filter_map(|e| Some(join(package, e.name.as_deref()?))));
            for message in &file.message_type {
                names.add(package, message, 0);
            }
        }
        names
    }

    fn add(&mut self, scope: &str, message: &'f DescriptorProto, depth: usize) {
        let Some(name) = message.name.as_deref().filter(|_| depth < DEPTH) else { return };
        let full = join(scope, name);
        self.enums.extend(message.enum_type.iter().filter_map(|e| Some(join(&full, e.name.as_deref()?))));
        for nested in &message.nested_type {
            self.add(&full, nested, depth + 1);
        }
        self.messages.insert(full, message);
    }

    /// The full name of a type that is named within a scope.
    pub(super) fn resolve(&self, name: &str, scope: &str) -> String {
        if let Some(full) = name.strip_prefix('.') {
            return full.to_owned();
        }
        let mut scope = Some(scope);
        while let Some(within) = scope {
            let full = join(within, name);
            if self.messages.contains_key(&full) || self.enums.contains(&full) {
                return full;
            }
            scope = match within.rsplit_once('.') {
                Some((outer, _)) => Some(outer),
                None if within.is_empty() => None,
                None => Some(""),
            };
        }
        name.to_owned()
    }

    /// The fields of each message, up to so many in all.
    pub(super) fn messages(&self, most: usize) -> BTreeMap<String, Vec<MessageField>> {
        let mut left = most;
        let mut out = BTreeMap::new();
        for (full, message) in &self.messages {
            if message.options.as_ref().is_some_and(|o| o.map_entry == Some(true)) {
                continue;
            }
            let mut fields: Vec<_> =
                message.field.iter().take(left).filter_map(|field| self.field(full, field)).collect();
            fields.sort_by_key(|field| field.number);
            left -= fields.len();
            out.insert(full.clone(), fields);
        }
        out
    }

    fn field(&self, scope: &str, field: &FieldDescriptorProto) -> Option<MessageField> {
        let number = u32::try_from(field.number?).ok()?;
        let name = field.name.clone()?;
        let repeated = field.label == Some(Label::Repeated as i32);
        let kind = self.kind(scope, field);
        // `map<K, V>` is a repeated entry by its letter, and a map by its meaning.
        if let Some(entry) = self.messages.get(&kind)
            && entry.options.as_ref().is_some_and(|o| o.map_entry == Some(true))
            && let [key, value] = entry.field.as_slice()
        {
            let kind = format!("map<{}, {}>", self.kind(&kind, key), self.kind(&kind, value));
            return Some(MessageField { number, name, kind, repeated: false });
        }
        Some(MessageField { number, name, kind, repeated })
    }

    fn kind(&self, scope: &str, field: &FieldDescriptorProto) -> String {
        if let Some(name) = &field.type_name {
            return self.resolve(name, scope);
        }
        let scalar = match field.r#type.and_then(|t| Type::try_from(t).ok()) {
            Some(Type::Double) => "double",
            Some(Type::Float) => "float",
            Some(Type::Int64) => "int64",
            Some(Type::Uint64) => "uint64",
            Some(Type::Int32) => "int32",
            Some(Type::Fixed64) => "fixed64",
            Some(Type::Fixed32) => "fixed32",
            Some(Type::Bool) => "bool",
            Some(Type::String) => "string",
            Some(Type::Bytes) => "bytes",
            Some(Type::Uint32) => "uint32",
            Some(Type::Sfixed32) => "sfixed32",
            Some(Type::Sfixed64) => "sfixed64",
            Some(Type::Sint32) => "sint32",
            Some(Type::Sint64) => "sint64",
            Some(Type::Group) => "group",
            Some(Type::Enum) => "enum",
            Some(Type::Message) | None => "message",
        };
        scalar.to_owned()
    }
}
