//! Isolation of the records that the database refuses, so that the rest of a batch goes through.

use std::ops::Range;

use crate::error::{Error, is_data_error};
use crate::pool::Tx;

/// Number of parts into which a refused batch is split. With two, the sound records would be written once more at
/// every level, about twice their number in all; with eight it is about half of it.
const BISECT_FANOUT: usize = 8;

/// Refusal of a single record: the data in it violates a rule of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The server's message, without the values in it.
    pub(crate) reason: String,
}

/// Work on a batch of records that is tried again in smaller batches while the database refuses one of them.
pub(crate) trait BatchWork<T> {
    /// Result for one record.
    type Output;

    /// Runs the work for these records and returns a result for each, in their order.
    ///
    /// # Errors
    /// The database refused a record or was out of reach. The changes of the call are rolled back then.
    async fn run(&self, tx: &mut Tx, batch: &[T]) -> Result<Vec<Self::Output>, Error>;
}

/// Runs the work for all records in one batch, and in ever smaller ones around a record that the database refuses,
/// until it stands alone. Every batch runs in a savepoint. Returns a result for each record, in their order.
///
/// # Errors
/// The database is in trouble, and no record is at fault. The savepoint is rolled back, the transaction stays usable.
pub(crate) async fn bisect<T, W: BatchWork<T>>(
    tx: &mut Tx,
    work: &W,
    records: &[T],
) -> Result<Vec<Result<W::Output, Refusal>>, Error> {
    let mut results = Vec::with_capacity(records.len());
    // Ranges that are yet to run, the first of them on top: the results come in the order of the records.
    let mut pending: Vec<Range<usize>> = std::iter::once(0..records.len()).collect();
    while let Some(range) = pending.pop() {
        if range.is_empty() {
            continue;
        }
        tx.savepoint().await?;
        match work.run(tx, &records[range.clone()]).await {
            Ok(outputs) => {
                tx.release_savepoint().await?;
                results.extend(outputs.into_iter().map(Ok));
            }
            Err(error) => {
                tx.rollback_to_savepoint().await?;
                if !is_data_error(&error) {
                    return Err(error);
                }
                if range.len() == 1 {
                    results.push(Err(Refusal { reason: error.reason() }));
                } else {
                    pending.extend(parts(range).rev());
                }
            }
        }
    }
    Ok(results)
}

/// Splits a range into at most [`BISECT_FANOUT`] parts of about the same length.
fn parts(range: Range<usize>) -> impl DoubleEndedIterator<Item = Range<usize>> {
    let length = range.len().div_ceil(BISECT_FANOUT);
    let end = range.end;
    range.step_by(length).map(move |start| start..end.min(start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_batch_is_split_into_eight_parts() {
        let found: Vec<_> = parts(10..26).collect();
        assert_eq!(found.len(), BISECT_FANOUT);
        assert_eq!((found[0].clone(), found[7].clone()), (10..12, 24..26));
    }

    #[test]
    fn small_batch_is_split_into_single_records() {
        assert_eq!(parts(0..3).collect::<Vec<_>>(), [0..1, 1..2, 2..3]);
        assert_eq!(parts(5..7).collect::<Vec<_>>(), [5..6, 6..7]);
    }
}
