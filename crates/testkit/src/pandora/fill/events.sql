-- Events with children, the audit log, traps, sessions, values to be exported.
INSERT INTO tevento (id_evento, id_agente, id_usuario, id_grupo, estado, `timestamp`, evento,
                     utimestamp, event_type, id_agentmodule, criticity)
  SELECT id_evento, agent, '0', 1, n % 3, FROM_UNIXTIME(at), 'event', at, 'going_up_critical', id,
    n % 5
  FROM (SELECT seq + 3 * (seq DIV 1000) AS id_evento, m.*,
          {now} - 30 - FLOOR(({events} - seq) * ({event_days} * 86400 / {events}))
            - IF(seq % 211 = 0, 3600, 0) AS at
        FROM seq_1_to_{events} JOIN gen_module AS m ON m.n = 1 + (seq * 7919) % {modules}) AS e;
INSERT INTO tevento (id_agente, `timestamp`, evento, utimestamp, event_type, id_agentmodule)
  SELECT 0, FROM_UNIXTIME({now} - age), 'system', {now} - age, 'system', 0 FROM gen_edge ORDER BY n;
INSERT INTO tevent_extended (id_evento, external_id, utimestamp, description)
  SELECT id_evento, 1, utimestamp, 'detail' FROM tevento JOIN seq_1_to_2 WHERE id_evento % 100 = 7
  ORDER BY id_evento, seq;
INSERT INTO tevent_comment (id_event, utimestamp, comment, id_user)
  SELECT id_evento, utimestamp, 'comment', 'admin' FROM tevento WHERE id_evento % 150 = 7
  ORDER BY id_evento;
-- One event has more children than a chunk may take.
INSERT INTO tevent_comment (id_event, utimestamp, comment, id_user)
  SELECT 12, {now}, 'talk', 'admin' FROM seq_1_to_{crowd};

INSERT INTO tsesion (id_sesion, id_usuario, ip_origen, accion, descripcion, fecha, utimestamp)
  SELECT seq * 2, CONCAT('user', seq % 50), '10.0.0.1', 'Logon', 'logged in',
    FROM_UNIXTIME(at), at
  FROM (SELECT seq, {now} - 45
          - FLOOR(({audit} - seq) * ({audit_days} * 86400 / {audit})) - IF(seq % 89 = 0, 600, 0) AS at
        FROM seq_1_to_{audit}) AS s;
INSERT INTO tsesion (id_usuario, fecha, utimestamp)
  SELECT 'edge', FROM_UNIXTIME({now} - age), {now} - age FROM gen_edge ORDER BY n;
INSERT INTO tsesion_extended (id_sesion, extended_info, hash)
  SELECT id_sesion, 'more', 'h' FROM tsesion WHERE id_sesion % 6 = 0 ORDER BY id_sesion;
-- Extended rows whose session is gone.
INSERT INTO tsesion_extended (id_sesion, extended_info, hash)
  SELECT seq * 2 + 1, 'lost', 'h' FROM seq_1_to_60;

INSERT INTO ttrap (source, oid, type, value, status, `timestamp`, severity, utimestamp)
  SELECT CONCAT('10.1.0.', seq % 250), '.1.3.6.1', 6, 'v', seq % 2, FROM_UNIXTIME(at), 2,
    IF(seq % 3 = 0, 0, at)
  FROM (SELECT seq, {now} - 20
          - FLOOR(({traps} - seq) * ({trap_days} * 86400 / {traps})) AS at
        FROM seq_1_to_{traps}) AS t;
INSERT INTO ttrap (source, `timestamp`)
  SELECT 'edge', FROM_UNIXTIME({now} - age) FROM gen_edge ORDER BY n;

INSERT INTO tsessions_php (id_session, last_active, data)
  SELECT CONCAT(IF(seq % 41 = 0, 'cron-', ''), LPAD(seq, 26, 'a')),
    {now} - FLOOR(seq * (4 * 5400 / {php_sessions})), IF(seq % 37 = 0, NULL, 'user|s:5:"admin";')
  FROM seq_1_to_{php_sessions};

INSERT INTO tserver_export_data (id_export_server, agent_name, module_name, module_type, data,
                                 `timestamp`)
  SELECT 1, 'agent', 'module', 'generic_data', '1',
    FROM_UNIXTIME({now} - 10 - FLOOR(({export} - seq) * (60 * 86400 / {export})))
  FROM seq_1_to_{export};
INSERT INTO tserver_export_data (agent_name, `timestamp`)
  SELECT 'edge', FROM_UNIXTIME({now} - age) FROM gen_edge ORDER BY n;
