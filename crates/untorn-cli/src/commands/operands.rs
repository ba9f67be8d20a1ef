//! Operands one after another: the failure of one is told, and the rest is done all the same.

use crate::failure::{self, End, Outcome};

/// Acts on each operand. One that fails makes the end `End::Found` (exit 1); where the device
/// cannot write or the output fails, the rest would too, and nothing more is tried.
pub fn each<T>(
    operands: impl IntoIterator<Item = T>,
    mut act: impl FnMut(T) -> anyhow::Result<()>,
) -> Outcome {
    each_tree(operands, |operand, _| act(operand))
}

/// The same where parts of an operand can fail, which are told one by one.
pub fn each_tree<T>(
    operands: impl IntoIterator<Item = T>,
    mut act: impl FnMut(T, &mut Told) -> anyhow::Result<()>,
) -> Outcome {
    let mut told = Told::default();
    for operand in operands {
        let done = act(operand, &mut told);
        told.of(done)?;
    }
    told.end()
}

/// Whether a failure was told.
#[derive(Debug, Default)]
pub struct Told {
    any: bool,
}

impl Told {
    /// What came of one thing; nothing where it failed, which is told, and others can still
    /// succeed.
    pub fn of<T>(&mut self, done: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if failure::is_of_one(&error) => {
                failure::tell(&error);
                self.any = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Something was left out, which was told otherwise.
    pub fn leave_out(&mut self) {
        self.any = true;
    }

    /// How the whole ends.
    pub fn end(self) -> Outcome {
        Ok(if self.any { End::Found } else { End::Well })
    }
}
