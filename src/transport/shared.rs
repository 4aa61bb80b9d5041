//! Values that the clones of a client share, one for each type.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, PoisonError};

/// One value for each type. So the client doesn't depend on the modules that keep sessions and keys for it. There are a handful, so a
/// list is faster than a map.
#[derive(Default)]
pub(crate) struct Shared(Mutex<Vec<(TypeId, Arc<dyn Any + Send + Sync>)>>);

impl Shared {
    /// The value of this type; the first call makes it.
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let wanted = TypeId::of::<T>();
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = if let Some((_, value)) = values.iter().find(|(kind, _)| *kind == wanted) {
            Arc::clone(value)
        } else {
            let value: Arc<dyn Any + Send + Sync> = Arc::<T>::default();
            values.push((wanted, Arc::clone(&value)));
            value
        };
        drop(values);
        // It was found by its type, so the downcast never fails.
        value.downcast().unwrap_or_default()
    }
}
