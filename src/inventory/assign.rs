//! Which template a request has.
//!
//! Takes an inventory as it is, gives the template of any request in it: the final word on requests seen before, since
//! templates hold for all that was ever seen. Never counts anything.

use super::{Inventory, learn, render};
use crate::observe::Observation;

/// The templates of an inventory, ready for looking up.
#[derive(Debug)]
pub struct Assignment<'a> {
    inventory: &'a Inventory,
    /// By service, by raw endpoint: a template's index.
    services: Vec<Vec<Option<u32>>>,
    templates: Vec<String>,
}

impl Inventory {
    /// Learns all templates once, for looking up requests.
    pub fn assignment(&self) -> Assignment<'_> {
        let mut assignment = Assignment { inventory: self, services: Vec::new(), templates: Vec::new() };
        for service in &self.services {
            let told = self.told_of(service);
            let mut of_service = vec![None; service.tree.endpoints.len()];
            for template in learn::learn(&service.tree, &told, false).templates {
                let index = assignment.templates.len() as u32;
                for &id in &template.endpoints {
                    if let Some(slot) = of_service.get_mut(id as usize) {
                        *slot = Some(index);
                    }
                }
                assignment.templates.push(render::text(service, &template));
            }
            assignment.services.push(of_service);
        }
        assignment
    }
}

impl Assignment<'_> {
    /// The template of a request; `None` for a probe and for what the inventory does not hold.
    pub fn template(&self, o: &Observation<'_>) -> Option<&str> {
        let service = self.inventory.find(&o.service)? as usize;
        let id = self.inventory.reach(self.inventory.services.get(service)?, o)?;
        let index = (*self.services.get(service)?.get(id as usize)?)?;
        self.templates.get(index as usize).map(String::as_str)
    }
}
