//! Operands one after another: the failure of one is told, and the rest is done all the same.

use crate::failure::{self, End, Outcome};

/// Acts on each operand. One that fails makes the end `End::Found` (exit 1); where the device or
/// the output fails, the rest would too, and nothing more is tried.
pub fn each<T>(
    operands: impl IntoIterator<Item = T>,
    mut act: impl FnMut(T) -> anyhow::Result<()>,
) -> Outcome {
    let mut end = End::Well;
    for operand in operands {
        match act(operand) {
            Ok(()) => {}
            Err(error) if failure::is_of_one(&error) => {
                failure::tell(&error);
                end = End::Found;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(end)
}
