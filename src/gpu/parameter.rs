//! What belongs to a parameter of a model besides its values: how often they have changed, and the packed forms of them
//! that kernels want. All plans of a model share these.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::error::Result;

/// The largest magnitudes of a parameter that f16 suits. From 2⁻¹⁴ on a number has 11 bits in f16, and below multiples
/// of 2⁻²⁴: against a largest value of 2⁻¹⁰ they still err by less than what is rounded in it. Winograd's transforms make
/// weights up to 1.5² as large, which must not exceed 65,504.
const F16_SUITS: RangeInclusive<f32> = 0.000_976_562_5..=29_000.0;

/// The history of one parameter.
pub(super) struct Parameter {
    /// The largest magnitude of what was loaded, as bits of an f32; NaN if a value is.
    largest: AtomicU32,
    changes: AtomicU64,
    trained: AtomicBool,
    /// Packed forms, by name, while plans use them. What they are made of is not known here: they need kernels, and
    /// kernels read parameters.
    packed: Mutex<BTreeMap<String, Weak<dyn Any + Send + Sync>>>,
}

impl Parameter {
    /// One that begins with these values.
    pub fn new(values: &[f32]) -> Self {
        Parameter {
            largest: AtomicU32::new(largest(values).to_bits()),
            changes: AtomicU64::default(),
            trained: AtomicBool::default(),
            packed: Mutex::default(),
        }
    }

    /// One that is computed from others on the device, where nobody sees whether f16 suits it.
    pub fn computed() -> Self {
        Self::new(&[])
    }

    /// How often it has changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether a plan trains it.
    pub fn is_trained(&self) -> bool {
        self.trained.load(Ordering::Relaxed)
    }

    /// Whether what was loaded can be stored in f16.
    pub fn suits_f16(&self) -> bool {
        F16_SUITS.contains(&self.largest())
    }

    /// The largest magnitude of what was loaded, NaN if a value is; 0 where nobody sees it.
    pub fn largest(&self) -> f32 {
        f32::from_bits(self.largest.load(Ordering::Relaxed))
    }

    /// Whether it can become these values: not if a plan stores it in f16, and f16 does not suit them.
    pub fn accepts(&self, values: &[f32]) -> bool {
        let forms = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let in_f16 = forms.iter().any(|(form, packed)| form.contains("f16") && packed.strong_count() > 0);
        !in_f16 || F16_SUITS.contains(&largest(values))
    }

    /// These values were written in the place of what it was.
    pub fn load(&self, values: &[f32]) {
        self.largest.store(largest(values).to_bits(), Ordering::Relaxed);
        self.change();
    }

    /// From now on a plan trains it.
    pub fn train(&self) {
        self.trained.store(true, Ordering::Relaxed);
    }

    /// A run that changes it was submitted.
    pub fn change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The packed form of this name: the one that another plan uses, or a new one.
    pub fn packed<T: Any + Send + Sync>(&self, form: String, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut forms = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = forms.get(&form).and_then(Weak::upgrade).and_then(|packed| packed.downcast().ok()) {
            return Ok(packed);
        }
        let packed = Arc::new(make()?);
        let shared: Arc<dyn Any + Send + Sync> = packed.clone();
        forms.insert(form, Arc::downgrade(&shared));
        Ok(packed)
    }
}

fn largest(values: &[f32]) -> f32 {
    // Not f32::max, which passes over a NaN.
    let larger = |most: f32, value: f32| if value > most || value.is_nan() { value } else { most };
    values.iter().map(|value| value.abs()).fold(0.0, larger)
}
