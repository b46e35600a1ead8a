call create_staging_table('stg_measurements');

create table measurements (
    id text primary key,
    piano_id text references pianos (id),
    taken_on date,
    -- As Gazelle says them: integers, units unstated.
    temperature int,
    humidity int,
    a0_pitch int, a1_pitch int, a2_pitch int, a3_pitch int,
    a4_pitch int, a5_pitch int, a6_pitch int, a7_pitch int,
    a0_dip int, a1_dip int, a2_dip int, a3_dip int,
    a4_dip int, a5_dip int, a6_dip int, a7_dip int,
    c7_sustain_played int, c7_sustain_plucked int,
    d6_sustain_played int, d6_sustain_plucked int,
    g6_sustain_played int, g6_sustain_plucked int,
    gazelle_created_at timestamptz,
    gazelle_updated_at timestamptz
);
call add_mirror_columns('measurements');
create index on measurements (piano_id);
