//! Which arithmetic a run measures.

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use veilgrid_crypto::fast::{Arithmetic, use_arithmetic};

/// The arithmetic of a run: the fastest that the processor has, unless another is named.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ArithmeticArgs {
    /// Use portable arithmetic whatever the processor has: the same as --lanes words
    #[arg(long, conflicts_with = "lanes")]
    portable: bool,
    /// The arithmetic of public points, instead of the fastest that this processor has
    #[arg(long, value_name = "LANES", value_enum)]
    lanes: Option<Lanes>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lanes {
    /// AVX-512 IFMA
    Ifma,
    /// AVX2 and FMA
    Avx2,
    /// 64-bit words, on any processor
    Words,
}

impl ArithmeticArgs {
    /// Makes this process use it.
    ///
    /// # Errors
    /// When the processor has not what is asked for, or points are in use already.
    pub fn choose(self) -> Result<(), Failure> {
        let arithmetic = match (self.portable, self.lanes) {
            (true, _) | (_, Some(Lanes::Words)) => Arithmetic::Words,
            (_, Some(Lanes::Avx2)) => Arithmetic::Avx2,
            (_, Some(Lanes::Ifma)) => Arithmetic::Ifma,
            (false, None) => return Ok(()),
        };
        if !arithmetic.is_here() {
            return Err(Failure::Input(format!("this processor has no lanes of {}", arithmetic.name())));
        }
        match use_arithmetic(arithmetic) {
            true => Ok(()),
            false => Err(Failure::Input(
                "the arithmetic was chosen too late: points are in use already".to_owned(),
            )),
        }
    }
}
