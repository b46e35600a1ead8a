-- Entries under ids of another origin: few, or none. Found without reading the table.
create index on timeline_entries_keys (id) where left(id, 4) <> 'tme_';
