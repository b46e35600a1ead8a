//! Balance of a full run: Gazelle's count against the rows here and what explains the others. Pure.

/// Counts of a full run and of the records that it listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct ListingCounts {
    /// Count stated by the source at the end of the run; none where it states none.
    pub(super) source_count: Option<i64>,
    /// Count stated at the beginning.
    pub(super) source_count_first: Option<i64>,
    /// Distinct ids and elements without an id, as the fetcher counted them.
    pub(super) records_distinct: Option<i64>,
    /// The fetcher proved the listing complete.
    pub(super) is_proven: bool,
    /// Elements without an id.
    pub(super) without_id: i64,
    /// Truncated records, left out of the pages and looked up by themselves.
    pub(super) outside: i64,
    /// Records on pages that cannot be read.
    pub(super) quarantined: i64,
    /// Ids that staging has seen of the listing.
    pub(super) listed: i64,
    /// Listed ids without a live row.
    pub(super) without_row: i64,
    /// Of these: never a row, for a reason that is kept.
    pub(super) skipped: i64,
    /// Of these: a person must look.
    pub(super) failed: i64,
    /// Of these: in staging, not settled.
    pub(super) waiting: i64,
    /// Of these: gone since.
    pub(super) deleted: i64,
}

/// Sides of the equation `source_count = rows_present + skipped + failed + waiting + deleted + gap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) source_count: i64,
    pub(super) rows_present: i64,
    pub(super) skipped: i64,
    pub(super) failed: i64,
    pub(super) waiting: i64,
    pub(super) deleted: i64,
    pub(super) gap: i64,
}

impl ListingCounts {
    /// Returns the balance. `is_nested` tells that the source states no count, because the records stand in others:
    /// then the elements that staging has seen are the count.
    pub(super) fn balance(&self, is_nested: bool) -> Balance {
        let rows_present = self.listed - self.without_row;
        let skipped = self.skipped + self.without_id;
        let failed = self.failed + self.quarantined;
        let accounted = rows_present + skipped + failed + self.waiting + self.deleted;
        let (lowest, highest) = self.source_counts(is_nested);
        let mut gap =
            if accounted < lowest { lowest - accounted } else { highest.min(accounted) - accounted };
        // A truncated record counts as listed once its lookup has come.
        let looked_up = gap.clamp(0, self.outside);
        gap -= looked_up;
        Balance {
            source_count: accounted + looked_up + gap,
            rows_present,
            skipped,
            failed,
            waiting: self.waiting + looked_up,
            deleted: self.deleted,
            gap,
        }
    }

    /// Returns the lowest and the highest count that the source may mean: the same, unless the source moved during an
    /// unproven run.
    fn source_counts(&self, is_nested: bool) -> (i64, i64) {
        let seen = self.listed + self.without_id + self.quarantined;
        if is_nested {
            return (seen, seen);
        }
        let Some(last) = self.source_count else {
            let listed = self.records_distinct.unwrap_or(seen);
            return (listed, listed);
        };
        let first = self.source_count_first.unwrap_or(last);
        if self.is_proven || first == last {
            return (last, last);
        }
        let distinct = self.records_distinct.unwrap_or(last);
        (first.min(last).min(distinct), first.max(last).max(distinct))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the counts of a proven run that listed 240 of 246 records with an id, all of them rows.
    fn counts() -> ListingCounts {
        ListingCounts {
            source_count: Some(246),
            source_count_first: Some(246),
            records_distinct: Some(246),
            is_proven: true,
            without_id: 6,
            listed: 240,
            ..ListingCounts::default()
        }
    }

    fn gap(counts: ListingCounts) -> i64 {
        counts.balance(false).gap
    }

    #[test]
    fn explained_records_close_the_equation() {
        assert_eq!(gap(counts()), 0);
        let explained =
            ListingCounts { without_row: 10, skipped: 1, failed: 2, waiting: 3, deleted: 4, ..counts() };
        let balance = explained.balance(false);
        let Balance { source_count, rows_present, skipped, failed, waiting, deleted, gap } = balance;
        assert_eq!((source_count, rows_present, skipped, failed), (246, 230, 7, 2));
        assert_eq!((waiting, deleted, gap), (3, 4, 0));
    }

    #[test]
    fn lost_row_and_lost_page_are_gaps() {
        assert_eq!(gap(ListingCounts { without_row: 3, ..counts() }), 3, "rows are missing");
        assert_eq!(gap(ListingCounts { listed: 230, ..counts() }), 10, "staging has never seen them");
        assert_eq!(gap(ListingCounts { quarantined: 100, listed: 140, ..counts() }), 0, "set aside by name");
    }

    #[test]
    fn count_that_disagrees_for_good_is_a_gap() {
        let stable = |count| ListingCounts {
            source_count: Some(count),
            source_count_first: Some(count),
            is_proven: false,
            ..counts()
        };
        assert_eq!((gap(stable(250)), gap(stable(200))), (4, -46));
    }

    #[test]
    fn source_that_moved_during_a_run_is_no_gap() {
        let moved = ListingCounts { source_count: Some(250), is_proven: false, ..counts() };
        assert_eq!(moved.balance(false).gap, 0);
        assert_eq!(gap(ListingCounts { listed: 230, ..moved }), 10, "fewer than ever were counted");
        assert_eq!(gap(ListingCounts { listed: 260, ..moved }), -16);
    }

    #[test]
    fn truncated_record_waits_for_its_lookup() {
        let truncated = ListingCounts { outside: 2, listed: 238, ..counts() };
        assert_eq!((truncated.balance(false).waiting, gap(truncated)), (2, 0));
        assert_eq!(gap(ListingCounts { listed: 240, ..truncated }), 0, "both lookups have come");
        assert_eq!(gap(ListingCounts { listed: 235, ..truncated }), 3, "more than were left out");
    }

    #[test]
    fn nested_records_are_counted_on_the_pages() {
        let nested = ListingCounts {
            listed: 50,
            without_row: 2,
            failed: 1,
            without_id: 1,
            ..ListingCounts::default()
        };
        let balance = nested.balance(true);
        assert_eq!((balance.source_count, balance.rows_present, balance.gap), (51, 48, 1));
    }
}
