//! The one source of every choice in the world: who runs next, how long things take, what
//! `random` gives. Part of the world's state, so that a restored world chooses the same again.

/// A seeded generator (SplitMix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    state: u64,
    seed: u64,
}

impl Choices {
    pub fn new(seed: u64) -> Choices {
        Choices { state: seed, seed }
    }

    /// A number from 0 to `n - 1`; `n` must not be 0. The bias is below 2^-32 for the small `n` of the kernel.
    pub fn pick(&mut self, n: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        ((u128::from(mix(self.state)) * u128::from(n)) >> 64) as u64
    }

    /// A number from 0 to `n - 1` that depends on the seed and the pair only; it draws nothing.
    pub fn of_pair(&self, a: u32, b: u32, n: u64) -> u64 {
        let pair = u64::from(a) << 32 | u64::from(b);
        ((u128::from(mix(self.seed ^ mix(pair))) * u128::from(n)) >> 64) as u64
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
