-- Agents, modules and states. Special cases sit at the end of each number range, counted from
-- behind: see the table in `mod.rs`.
INSERT INTO tgrupo (id_grupo, nombre) SELECT seq, CONCAT('group ', seq) FROM seq_1_to_10;

INSERT INTO ttipo_modulo (id_tipo, nombre) VALUES
  (1,'generic_data'), (2,'generic_proc'), (3,'generic_data_string'), (4,'generic_data_inc'),
  (5,'generic_data_inc_abs'), (6,'remote_icmp_proc'), (7,'remote_icmp'), (8,'remote_tcp'),
  (9,'remote_tcp_proc'), (10,'remote_tcp_string'), (11,'remote_tcp_inc'), (15,'remote_snmp'),
  (16,'remote_snmp_inc'), (17,'remote_snmp_string'), (18,'remote_snmp_proc'), (21,'async_proc'),
  (22,'async_data'), (23,'async_string'), (24,'log4x'), (25,'web_analysis'), (30,'web_data'),
  (31,'web_proc'), (32,'web_content_data'), (33,'web_content_string'), (34,'remote_cmd'),
  (35,'remote_cmd_proc'), (36,'remote_cmd_string'), (37,'remote_cmd_inc'),
  (38,'web_server_status_code_string'), (100,'keep_alive'), (200,'custom_proc');

CREATE TEMPORARY TABLE gen_agent (n INT PRIMARY KEY, behind INT, id INT UNIQUE);
INSERT INTO gen_agent
  SELECT seq, {agents} - seq, IF(seq <= {agents} DIV 2, seq, seq + 5000)
  FROM seq_1_to_{agents};

INSERT INTO tagente (id_agente, nombre, alias, direccion, id_grupo, id_os, ultimo_contacto,
                     ultimo_contacto_remoto, disabled, modo, server_name)
  SELECT id, CONCAT('agent-', n),
    CASE WHEN behind BETWEEN 20 AND 29 THEN '' WHEN behind = 30 THEN ' ' ELSE CONCAT('Agent ', n) END,
    CONCAT('10.0.', n DIV 250, '.', n % 250), 1 + n % 10, n % 20,
    CASE behind
      WHEN 9 THEN '1970-01-01 00:00:00'
      ELSE FROM_UNIXTIME({now} - CASE behind
        WHEN 0 THEN 31 * 86400 WHEN 1 THEN 30 * 86400 + 1 WHEN 2 THEN 30 * 86400
        WHEN 3 THEN 30 * 86400 - 1 WHEN 4 THEN 3.5 * 86400 WHEN 5 THEN 16 * 86400
        WHEN 6 THEN 2 * 86400 WHEN 7 THEN 15 * 86400 + 1 WHEN 8 THEN 400 * 86400
        WHEN 10 THEN 15 * 86400 ELSE n % 300 END)
    END,
    '1970-01-01 00:00:00',
    behind BETWEEN 0 AND 10 AND behind <> 8,
    IF(behind IN (5, 6, 7, 10), 2, 1), 'pandorafms'
  FROM gen_agent;

CREATE TEMPORARY TABLE gen_module (n INT PRIMARY KEY, behind INT, id INT UNIQUE, agent INT, type INT);
INSERT INTO gen_module
  SELECT seq, {modules} - seq,
    CASE seq WHEN 1 THEN 1 WHEN 2 THEN 5 WHEN 3 THEN 900000 WHEN 4 THEN 4000000
      ELSE 100 + seq + 13 * (seq DIV 50) END,
    CASE WHEN {modules} - seq BETWEEN 80 AND 129 THEN 7000000 + seq
      WHEN {modules} - seq BETWEEN 130 AND 134 THEN {agents} + 4997 ELSE agent.id END,
    IF(seq % 3, 1, ELT(1 + (seq DIV 3) % 31, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17, 18, 21,
      22, 23, 24, 25, 30, 31, 32, 33, 34, 35, 36, 37, 38, 100, 200))
  FROM seq_1_to_{modules} JOIN gen_agent AS agent ON agent.n = 1 + seq % {agents};

INSERT INTO tagente_modulo (id_agente_modulo, id_agente, id_tipo_modulo, nombre, descripcion,
                            module_interval, history_data, disabled, delete_pending, id_modulo)
  SELECT id, agent, type, CONCAT('module ', n), 'generated', 300, n % 50 <> 7,
    behind IN (3, 4) OR behind BETWEEN 30 AND 34 OR behind BETWEEN 60 AND 64,
    behind < 30, 1
  FROM gen_module;

-- Due once a week, and once a month.
UPDATE tagente_modulo AS m JOIN gen_module AS g ON g.id = m.id_agente_modulo
  SET m.module_interval = 604800 WHERE g.behind IN (47, 49);
UPDATE tagente_modulo AS m JOIN gen_module AS g ON g.id = m.id_agente_modulo
  SET m.cron_interval = '0 3 1 * *' WHERE g.behind = 48;

-- Given by a policy: to be deleted all the same; without data, never a value, and unknown.
UPDATE tagente_modulo AS m JOIN gen_module AS g ON g.id = m.id_agente_modulo
  SET m.id_policy_module = 7 WHERE g.behind IN (5, 36, 41, 46, 51);
-- Parents: one that is to be deleted, one that is unknown, one that is gone, one that stays.
UPDATE tagente_modulo AS m JOIN gen_module AS g ON g.id = m.id_agente_modulo
  JOIN gen_module AS parent ON parent.behind = ELT(1 + g.behind - 150, 2, 52, 2, 160)
  SET m.parent_module_id = IF(g.behind = 152, 5900000, parent.id) WHERE g.behind BETWEEN 150 AND 153;
UPDATE tagente AS a JOIN gen_agent AS g ON g.id = a.id_agente
  JOIN gen_module AS m ON m.behind = ELT(1 + g.behind - 35, 2, 160, 52)
  SET a.cascade_protection = 1, a.cascade_protection_module = m.id, a.safe_mode_module = m.id
  WHERE g.behind BETWEEN 35 AND 37;

-- States; 75 to 79 have two.
INSERT INTO tagente_estado (id_agente_modulo, datos, `timestamp`, estado, id_agente, utimestamp,
                            current_interval, last_try)
  SELECT id, '1', FROM_UNIXTIME(utimestamp), estado, agent, utimestamp, 300,
    FROM_UNIXTIME(utimestamp)
  FROM (
    SELECT m.*,
      CASE WHEN behind BETWEEN 30 AND 34 OR behind BETWEEN 40 AND 49
          OR behind BETWEEN 130 AND 134 THEN 4
        WHEN behind BETWEEN 35 AND 39 THEN 5 WHEN behind BETWEEN 50 AND 64 THEN 3
        ELSE n % 3 END AS estado,
      CASE WHEN behind BETWEEN 30 AND 34 OR behind BETWEEN 45 AND 49
          OR behind BETWEEN 130 AND 134 THEN 0
        WHEN behind BETWEEN 35 AND 39 THEN {now} - 40 * 86400
        WHEN behind BETWEEN 40 AND 44 THEN {now} - 86400
        WHEN behind BETWEEN 50 AND 54 OR behind BETWEEN 60 AND 64 THEN {now} - 40 * 86400
        WHEN behind BETWEEN 55 AND 59 THEN {now} - 86400
        ELSE {now} - n % 300 END AS utimestamp
    FROM gen_module AS m
    JOIN seq_1_to_2 AS copy ON copy.seq = 1 OR m.behind BETWEEN 75 AND 79
    WHERE behind NOT BETWEEN 65 AND 74 AND behind NOT BETWEEN 80 AND 89 AND behind >= 5
  ) AS s ORDER BY n;
UPDATE tagente_estado AS e JOIN gen_module AS g ON g.id = e.id_agente_modulo
  SET e.last_status_change = {now} - 20 * 86400 WHERE g.behind = 49;
-- States of modules that are gone.
INSERT INTO tagente_estado (id_agente_modulo, datos, estado, id_agente, utimestamp)
  SELECT 5000000 + seq, '1', 0, 1, {now} FROM seq_1_to_40;

INSERT INTO taddress (id_a, ip)
  SELECT n, CONCAT('10.0.', n DIV 250, '.', n % 250) FROM gen_agent;
INSERT INTO taddress_agent (id_a, id_agent) SELECT n, id FROM gen_agent ORDER BY n;
INSERT INTO tagent_custom_data SELECT 1, id, 'field' FROM gen_agent;
INSERT INTO tagent_secondary_group (id_agent, id_group) SELECT id, 1 + n % 10 FROM gen_agent ORDER BY n;
INSERT INTO ttag_module (id_tag, id_agente_modulo) SELECT 1 + n % 5, id FROM gen_module
  WHERE n % 4 = 0 OR behind < 140;
INSERT INTO tmodule_synth (id_agent_module_source, id_agent_module_target)
  SELECT id, id FROM gen_module WHERE behind < 140 ORDER BY n;
INSERT INTO tmodule_relationship (module_a, module_b)
  SELECT a.id, b.id FROM gen_module AS a JOIN gen_module AS b ON b.n = a.n - 7 WHERE a.behind < 140 ORDER BY a.n;

INSERT INTO tmodule_inventory VALUES (1, 'CPU'), (2, 'Software');
INSERT INTO tagent_module_inventory (id_agente, id_module_inventory, utimestamp)
  SELECT id, 1 + n % 2, {now} - n FROM gen_agent ORDER BY n;
INSERT INTO tagente_datos_inventory (id_agent_module_inventory, data, utimestamp, `timestamp`)
  SELECT i.id_agent_module_inventory, 'x;y', t, FROM_UNIXTIME(t)
  FROM (SELECT i.id_agent_module_inventory, {now} - s.seq * 86400 * 5 - (i.id_agente % 3 - 1) AS t
        FROM tagent_module_inventory AS i JOIN seq_1_to_12 AS s) AS i;
INSERT INTO tagente_datos_inventory (id_agent_module_inventory, data, utimestamp)
  SELECT 900000 + seq, 'lost', {now} - seq FROM seq_1_to_30;
