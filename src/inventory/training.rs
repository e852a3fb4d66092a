//! Rows to train the judgement of templates on.
//!
//! Takes an inventory, the observations it was made of and the true template of each, gives rows of features with the right
//! verdicts: the same code that judges makes them. Never used while traffic is watched.

use super::Inventory;
use super::learn::training::{self, Truths};
use crate::observe::Batch;

pub use super::learn::training::Labelled;

/// Rows, and the names of their features.
pub type Rows = (Vec<Labelled>, Vec<&'static str>);

impl Inventory {
    /// Judges with another model than the one in the binary from here on, in all inventories: for measuring models. `false` where
    /// it is damaged, or something was judged already.
    pub fn replace_model(model: &[u8]) -> bool {
        training::replace_model(model)
    }

    /// The rows of all services. `templates`: the true template of each observation, `None` for noise. `second`: rows of the
    /// second pass, after a first with `model`. `None` where the model is damaged.
    pub fn training_rows(
        &self,
        batch: &Batch,
        templates: &[Option<String>],
        model: &[u8],
        second: bool,
    ) -> Option<Rows> {
        let mut truths: Vec<Truths> = self.services.iter().map(|_| Truths::new()).collect();
        let mut templates = templates.iter();
        batch.for_each(|o| {
            let Some(template) = templates.next().and_then(Option::as_ref) else { return };
            let Some((at, service)) =
                self.find(&o.service).and_then(|at| Some((at as usize, self.services.get(at as usize)?)))
            else {
                return;
            };
            let place = service.tree.follow(o.path, self.limits.path_segments);
            if let (true, Some(truths)) = (place.depth == o.path.len(), truths.get_mut(at)) {
                training::note(truths, &service.tree, place.node, o.path, template);
            }
        });
        let mut all = Rows::default();
        for (service, truths) in self.services.iter().zip(truths) {
            let (rows, names) = training::rows(&service.tree, truths, model, second)?;
            all.0.extend(rows);
            all.1 = if names.is_empty() { all.1 } else { names };
        }
        Some(all)
    }
}
