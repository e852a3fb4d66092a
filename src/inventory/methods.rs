//! Methods, numbered.
//!
//! Takes method names, gives small numbers for them. Bounded: names beyond the bound share one number, so that nobody
//! fills the inventory by making methods up.

/// Different methods that are told apart. The IANA registry has 40.
const METHODS: usize = 250;
/// What all further ones are called.
const OTHER: &str = "OTHER";

#[derive(Debug)]
pub(super) struct Methods(Vec<Box<str>>);

impl Methods {
    pub(super) fn new() -> Self {
        let usual = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", OTHER];
        Self(usual.into_iter().map(Into::into).collect())
    }

    /// The number of a method.
    #[inline]
    pub(super) fn number(&mut self, method: &str) -> u16 {
        match self.known(method) {
            Some(number) => number,
            None => self.add(method),
        }
    }

    /// The number of a method that was seen before.
    #[inline]
    pub(super) fn known(&self, method: &str) -> Option<u16> {
        self.0.iter().position(|m| **m == *method).map(|at| at as u16)
    }

    #[cold]
    fn add(&mut self, method: &str) -> u16 {
        if self.0.len() >= METHODS {
            return self.number(OTHER);
        }
        self.0.push(method.into());
        (self.0.len() - 1) as u16
    }

    /// The name of a number.
    pub(super) fn name(&self, number: u16) -> &str {
        self.0.get(number as usize).map_or(OTHER, |m| m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_methods_share_a_number() {
        let mut methods = Methods::new();
        assert_eq!(methods.number("GET"), 0);
        let purge = methods.number("PURGE");
        for i in 0..1000 {
            methods.number(&format!("M{i}"));
        }
        let last = methods.number("M999");
        assert_eq!(methods.name(last), "OTHER");
        assert_eq!(methods.number("PURGE"), purge);
        assert_eq!(methods.0.len(), METHODS);
    }
}
