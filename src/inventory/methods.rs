//! Methods and operations, numbered.
//!
//! Takes method names and what may name an operation beside them, gives small numbers for both together: an operation is a finer
//! method. Bounded: names beyond the bounds share one number, so that nobody fills the inventory by making methods up. Never
//! judges whether an operation is one.

use std::collections::HashMap;

/// A method, and what may name an operation: the method's own number in the lower eight bits, the operation's, 0 for none,
/// above.
pub(super) type MethodId = u32;

/// Different methods that are told apart. The IANA registry has 40.
const METHODS: usize = 250;
/// Different operation keys that are told apart, of all services together.
const OPERATIONS: usize = 1 << 14;
/// What all further methods are called.
const OTHER: &str = "OTHER";
/// What stands between method and operation in a record; no method has it (RFC 9110, 5.6.2).
const MARK: char = '\u{1f}';

/// The number of the method alone.
pub(super) fn plain(method: MethodId) -> MethodId {
    method & 0xff
}

/// The number of what may name an operation; 0 for none.
pub(super) fn operation(method: MethodId) -> u32 {
    method >> 8
}

#[derive(Clone, Debug)]
pub(super) struct Methods {
    names: Vec<Box<str>>,
    operations: Vec<Box<str>>,
    index: HashMap<Box<str>, u32>,
}

impl Methods {
    pub(super) fn new() -> Self {
        let usual = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", OTHER];
        let names = usual.into_iter().map(Into::into).collect();
        Self { names, operations: Vec::new(), index: HashMap::new() }
    }

    /// The number of a method and an operation, which may be empty. `None` where there is no room for the operation.
    #[inline]
    pub(super) fn number(&mut self, method: &str, operation: &str) -> Option<MethodId> {
        let number = match self.plain(method) {
            Some(number) => number,
            None => self.add(method),
        };
        if operation.is_empty() { Some(number) } else { self.add_operation(number, operation) }
    }

    /// The number of a method and an operation that were seen before.
    #[inline]
    pub(super) fn known(&self, method: &str, operation: &str) -> Option<MethodId> {
        let number = self.plain(method)?;
        if operation.is_empty() { Some(number) } else { Some(number | self.index.get(operation)? << 8) }
    }

    #[inline]
    fn plain(&self, method: &str) -> Option<MethodId> {
        self.names.iter().position(|m| **m == *method).map(|at| at as MethodId)
    }

    #[cold]
    fn add(&mut self, method: &str) -> MethodId {
        if self.names.len() >= METHODS {
            return self.plain(OTHER).unwrap_or_default();
        }
        self.names.push(method.into());
        (self.names.len() - 1) as MethodId
    }

    #[cold]
    fn add_operation(&mut self, method: MethodId, operation: &str) -> Option<MethodId> {
        if let Some(number) = self.index.get(operation) {
            return Some(method | number << 8);
        }
        if self.operations.len() >= OPERATIONS {
            return None;
        }
        self.operations.push(operation.into());
        let number = self.operations.len() as u32;
        self.index.insert(operation.into(), number);
        Some(method | number << 8)
    }

    /// The name of a method, without its operation.
    pub(super) fn name(&self, number: MethodId) -> &str {
        self.names.get(plain(number) as usize).map_or(OTHER, |m| m)
    }

    /// What may name an operation; empty for none.
    pub(super) fn operation(&self, number: MethodId) -> &str {
        let at = (operation(number) as usize).checked_sub(1);
        at.and_then(|at| self.operations.get(at)).map_or("", |o| o)
    }

    /// Both in one text, as records have them.
    pub(super) fn text(&self, number: MethodId) -> String {
        let (name, operation) = (self.name(number), self.operation(number));
        if operation.is_empty() { name.to_owned() } else { format!("{name}{MARK}{operation}") }
    }

    /// The number of such a text.
    pub(super) fn of_text(&mut self, text: &str) -> MethodId {
        let (method, operation) = text.split_once(MARK).unwrap_or((text, ""));
        let plain = |methods: &mut Self| methods.number(method, "").unwrap_or_default();
        self.number(method, operation).unwrap_or_else(|| plain(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_methods_share_a_number() {
        let mut methods = Methods::new();
        let number = |methods: &mut Methods, name: &str| methods.number(name, "").expect("room");
        assert_eq!(number(&mut methods, "GET"), 0);
        let purge = number(&mut methods, "PURGE");
        for i in 0..1000 {
            number(&mut methods, &format!("M{i}"));
        }
        let last = number(&mut methods, "M999");
        assert_eq!(methods.name(last), "OTHER");
        assert_eq!(number(&mut methods, "PURGE"), purge);
        assert_eq!(methods.names.len(), METHODS);
    }

    #[test]
    fn an_operation_is_a_finer_method() {
        let mut methods = Methods::new();
        let a = methods.number("POST", "?a=x").expect("room");
        let b = methods.number("GET", "?a=x").expect("room");
        assert_ne!(a, b);
        assert_eq!((plain(a), methods.name(a), methods.operation(a)), (1, "POST", "?a=x"));
        assert_eq!((methods.known("POST", "?a=x"), methods.known("POST", "?a=y")), (Some(a), None));
        let text = methods.text(a);
        assert_eq!(methods.of_text(&text), a);
        assert_eq!((methods.text(1), methods.operation(1)), ("POST".to_owned(), ""));
        for i in 0..2 * OPERATIONS {
            methods.number("GET", &format!("?a={i}"));
        }
        assert_eq!(methods.operations.len(), OPERATIONS);
        assert_eq!(methods.number("GET", "?b=c"), None);
        assert_eq!(methods.of_text("GET\u{1f}?b=c"), 0);
    }
}
