-- The proof that a listing holds every record is the fetcher's, by ids: a run may prove it although a field beside its
-- complete data had an error (partial), and may not although its counts agree (an element without an id).
--
-- Null in the rows of earlier versions: there the status of the fetch was the proof.
alter table sync_status add column proves_absence boolean;
