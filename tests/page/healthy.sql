-- After day.sql: all is well, and one action waits for a person.
insert into admin_actions (kind, entity, subject, details, created_at) values
    ('probable_duplicate', 'clients', 'École du Diapason', '{"same_as": "cli_0417 Ecole Diapason"}', now() - interval '5 hours');
