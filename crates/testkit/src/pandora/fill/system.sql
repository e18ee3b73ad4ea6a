-- What is few: alerts, reports, positions, graphs, caches, downtimes, messages, discovery.
INSERT INTO talert_templates VALUES (1, 'critical'), (2, 'warning');
INSERT INTO talert_template_modules (id_agent_module, id_alert_template)
  SELECT id, 1 + n % 2 FROM gen_module WHERE n % 5 = 0 OR behind < 140 ORDER BY n;
INSERT INTO talert_template_modules (id_agent_module, id_alert_template)
  SELECT 5500000 + seq, 1 FROM seq_1_to_30;
INSERT INTO talert_template_module_actions (id_alert_template_module, id_alert_action)
  SELECT id, 1 FROM talert_template_modules ORDER BY id;
INSERT INTO talert_calendar VALUES (1, 'Default');
INSERT INTO talert_special_days (`date`, day_code, description)
  SELECT DATE(FROM_UNIXTIME({now})) - INTERVAL seq - 20 DAY, 1, 'day' FROM seq_1_to_160;
INSERT INTO talert_special_days (`date`, day_code) VALUES
  ('0001-01-01', 2), ('0001-12-25', 2), ('1970-01-01', 3);

INSERT INTO treport VALUES (1, 'first'), (2, 'second');
-- 1 to 20: fine; 21 to 30: module gone; 31 to 40: agent gone; 41 to 50: SLA with items;
-- 51 to 60: SLA without; 61 to 70: exception with items; 71 to 80: exception without;
-- 81 to 90: an SLA, some of whose modules are gone; 91 to 95: nothing to do with modules.
INSERT INTO treport_content (id_rc, id_report, id_agent_module, id_agent, type)
  SELECT seq, 1 + seq % 2,
    CASE WHEN seq <= 20 THEN m.id WHEN seq <= 30 THEN 5600000 + seq
      WHEN seq <= 40 THEN m.id ELSE IF(seq % 2, 0, NULL) END,
    CASE WHEN seq <= 30 THEN m.agent WHEN seq <= 40 THEN 7100000 + seq ELSE 0 END,
    CASE WHEN seq <= 40 THEN 'simple_graph' WHEN seq <= 60 THEN 'SLA' WHEN seq <= 80 THEN 'exception'
      WHEN seq <= 90 THEN 'SLA' ELSE 'text' END
  FROM seq_1_to_95 JOIN gen_module AS m ON m.n = 10 + seq ORDER BY seq;
INSERT INTO treport_content (id_rc, id_report, id_agent_module, id_agent, type)
  SELECT 100 + behind, 1, id, agent, 'simple_graph' FROM gen_module WHERE behind < 140;
INSERT INTO treport_content_sla_combined (id_report_content, id_agent_module,
                                          id_agent_module_failover, server_name)
  SELECT seq, m.id, 0, '' FROM seq_41_to_50 JOIN gen_module AS m ON m.n = 10 + seq ORDER BY seq;
INSERT INTO treport_content_sla_combined (id_report_content, id_agent_module,
                                          id_agent_module_failover, server_name)
  SELECT 81 + seq % 10, IF(seq <= 10, 5600000 + seq, 1), 0, '' FROM seq_1_to_15;
INSERT INTO treport_content_sla_combined (id_report_content, id_agent_module,
                                          id_agent_module_failover, server_name)
  SELECT 41, id, 0, '' FROM gen_module WHERE behind < 30 ORDER BY n;
INSERT INTO treport_content_item (id_report_content, id_agent_module, server_name)
  SELECT seq, m.id, '' FROM seq_61_to_70 JOIN gen_module AS m ON m.n = 10 + seq ORDER BY seq;
INSERT INTO treport_content_item (id_report_content, id_agent_module, server_name)
  SELECT 61, IF(seq = 1, 5600100, g.id), '' FROM seq_1_to_2 JOIN gen_module AS g ON g.behind = 1 ORDER BY seq;
-- 301 to 313: kinds whose modules and agents are none; 314: services only; 315, 316: nothing in them;
-- 317: service levels by month; 318: the same, of a module that is gone.
INSERT INTO treport_content (id_rc, id_report, id_agent_module, id_agent, type)
  SELECT 300 + seq, 1, IF(seq < 14, IF(seq % 2, 42, g.id), 0), IF(seq < 14, 7200000 + seq, 0),
    ELT(seq, 'SLA_services', 'custom_graph', 'sql_graph_vbar', 'sql_graph_hbar', 'sql_graph_pie',
      'database_serialized', 'sql', 'inventory', 'inventory_changes', 'netflow_area', 'netflow_data',
      'netflow_summary', 'netflow_top_N', 'SLA_services', 'SLA_services', 'SLA_monthly',
      'SLA_monthly', 'SLA_monthly')
  FROM seq_1_to_18 JOIN gen_module AS g ON g.behind = 2 ORDER BY seq;
-- What 301 and 314 call a module is a service: with a number of no module, of one that is to be
-- deleted, and of one that stays.
INSERT INTO treport_content_sla_combined (id_report_content, id_agent_module,
                                          id_agent_module_failover, server_name)
  SELECT content.seq, ELT(number.seq, 42, pending.id, stays.id), 0, ''
  FROM seq_301_to_314 AS content JOIN seq_1_to_3 AS number
  JOIN gen_module AS pending ON pending.behind = 2 JOIN gen_module AS stays ON stays.behind = 160
  WHERE content.seq IN (301, 314) ORDER BY content.seq, number.seq;
INSERT INTO treport_content_sla_combined (id_report_content, id_agent_module,
                                          id_agent_module_failover, server_name)
  SELECT ELT(1 + n % 3, 317, 318, 41), ELT(1 + n % 3, id, 5600200, 0), 0, ''
  FROM gen_module WHERE behind BETWEEN 160 AND 162 ORDER BY n;
INSERT INTO treport_content_item (id_report_content, id_agent_module, server_name)
  SELECT content.seq, IF(number.seq = 1, 43, g.id), ''
  FROM seq_301_to_313 AS content JOIN seq_1_to_2 AS number JOIN gen_module AS g ON g.behind = 2
  ORDER BY content.seq, number.seq;
INSERT INTO treport_content_item (id_report_content, id_agent_module, server_name) VALUES (62, 0, '');

INSERT INTO tgis_data_history (longitude, latitude, start_timestamp, end_timestamp,
                               tagente_id_agente)
  SELECT 1, 2, FROM_UNIXTIME(at - 300), IF(seq % 101 = 0, NULL, FROM_UNIXTIME(at)), a.id
  FROM (SELECT seq, {now} - 15 - FLOOR(({gis} - seq) * ({gis_days} * 86400 / {gis})) AS at
        FROM seq_1_to_{gis}) AS g
  JOIN gen_agent AS a ON a.n = 1 + seq % {agents} ORDER BY seq;
INSERT INTO tgis_data_history (longitude, latitude, start_timestamp, end_timestamp,
                               tagente_id_agente)
  SELECT 0, 0, FROM_UNIXTIME({now} - age - 60), FROM_UNIXTIME({now} - age), 1 FROM gen_edge ORDER BY n;
INSERT INTO tgis_data_status (tagente_id_agente, current_longitude, current_latitude,
                              stored_longitude, stored_latitude, start_timestamp)
  SELECT id, 1, 2, 1, 2, FROM_UNIXTIME({now} - n) FROM gen_agent;
INSERT INTO tgis_map_layer VALUES (1, 'layer');
INSERT INTO tgis_map_layer_has_tagente SELECT 1, id FROM gen_agent WHERE behind < 20;
INSERT INTO tgis_map_layer_groups SELECT 1, n, id FROM gen_agent WHERE behind < 20;

INSERT INTO tusuario VALUES ('admin', 'Administrator'), ('operator', 'Operator');
INSERT INTO tlayout VALUES (1, 'map');
INSERT INTO tlayout_data (id_layout, id_agente_modulo, id_agent)
  SELECT 1, id, agent FROM gen_module WHERE n % 10 = 0 OR behind < 140 ORDER BY n;
INSERT INTO tlayout_data (id_layout, id_agente_modulo, id_agent) VALUES (1, 0, 0), (1, 0, 1);
INSERT INTO tvisual_console_elements_cache (vc_id, vc_item_id, user_id, data, created_at, expiration)
  SELECT 1, id, 'admin', '{}', FROM_UNIXTIME({now} - id % 7 * 100), 300 FROM tlayout_data ORDER BY id;
INSERT INTO tgraph (id_graph, name) SELECT seq, 'graph' FROM seq_1_to_10;
INSERT INTO tgraph_source (id_graph, id_agent_module, weight)
  SELECT 1 + n % 10, id, 1 FROM gen_module WHERE n % 40 = 0 OR behind < 30 ORDER BY n;
INSERT INTO tgraph_source (id_graph, id_agent_module, weight)
  SELECT IF(seq <= 20, 1, 900 + seq), IF(seq <= 20, 5700000 + seq, 1), 1 FROM seq_1_to_30;

-- Downtimes: finished long ago, finished lately, running, periodic.
INSERT INTO tplanned_downtime (id, name, date_from, date_to, executed, type_execution)
  SELECT seq, CONCAT('downtime ', seq), {now} - seq * 86400 - 7200,
    {now} - CASE seq WHEN 30 THEN 30 * 86400 - 1 WHEN 31 THEN 30 * 86400
      WHEN 32 THEN 30 * 86400 + 1 ELSE seq * 86400 END,
    seq % 2, CASE WHEN seq % 10 = 5 THEN 'periodically' WHEN seq % 10 = 6 THEN 'cron' ELSE 'once' END
  FROM seq_1_to_60;
INSERT INTO tplanned_downtime_agents (id_agent, id_downtime)
  SELECT 1 + seq % 7, 1 + seq % 60 FROM seq_1_to_180;
INSERT INTO tplanned_downtime_modules (id_agent, id_agent_module, id_downtime)
  SELECT agent % 5000000, id, 1 + n % 60 FROM gen_module WHERE behind < 80 OR n % 20 = 0 ORDER BY n;

INSERT INTO tnotification_source VALUES (1, 'System'), (2, 'Message');
INSERT INTO tmensajes (id_mensaje, id_usuario_origen, mensaje, `timestamp`, subject, id_source)
  SELECT seq, 'admin', 'text', {now} - CASE seq WHEN 600 THEN 60 * 86400 - 1
    WHEN 601 THEN 60 * 86400 WHEN 602 THEN 60 * 86400 + 1 ELSE seq * 8640 END, 'subject', 1 + seq % 2
  FROM seq_1_to_1200;
INSERT INTO tnotification_user SELECT id_mensaje, 'admin', NULL FROM tmensajes;
INSERT INTO tnotification_group SELECT id_mensaje, 1 FROM tmensajes WHERE id_mensaje % 2;

INSERT INTO tgroup_stat (id_group, modules, normal, agents, utimestamp)
  SELECT seq, 10, 9, 2, {now} - IF(seq % 3, seq, 2 * 86400) FROM seq_1_to_12;

-- Servers: this one, the master; one that was stopped; one without Discovery; one that crashed long
-- ago, one that crashed just now; another one that runs.
INSERT INTO tserver (id_server, name, status, master, server_type, keepalive, server_keepalive,
                     version, disabled)
  VALUES
  (1, 'pandorafms', 1, 10, 0, FROM_UNIXTIME({now} - 10), 30, '7.0NG.776 Build 240328', 0),
  (2, 'pandorafms', 1, 10, 3, FROM_UNIXTIME({now} - 10), 30, '7.0NG.776 Build 240328', 0),
  (3, 'satellite', 0, 0, 3, FROM_UNIXTIME({now} - 90 * 86400), 30, '7.0NG.770', 0),
  (4, 'spare', 1, 5, 1, FROM_UNIXTIME({now} - 20), 30, '7.0NG.776 Build 240328', 0),
  (5, 'crashed', -1, 0, 3, FROM_UNIXTIME({now} - 86401), 30, '7.0NG.776 Build 240328', 0),
  (6, 'crashing', -1, 0, 3, FROM_UNIXTIME({now} - 86400), 30, '7.0NG.776 Build 240328', 0),
  (7, 'spare', 1, 5, 3, FROM_UNIXTIME({now} - 20), 30, '7.0NG.776 Build 240328', 0);
INSERT INTO tdiscovery_apps VALUES (1, 'pandorafms.vmware');
INSERT INTO trecon_task (id_rt, name, utimestamp, status, interval_sweep, id_recon_server, id_app)
  SELECT seq, CONCAT('task ', seq), {now} - 3600, IF(seq % 3 = 0, 50, -1), 3600,
    ELT(1 + seq % 7, 2, 3, 4, 99, 5, 6, 7), IF(seq % 5 = 0, 1, NULL)
  FROM seq_1_to_24;
INSERT INTO tdiscovery_apps_tasks_macros
  SELECT id_rt, '_host_', 'x' FROM trecon_task WHERE id_app IS NOT NULL;
INSERT INTO tdiscovery_tmp_agents (id_rt, label) SELECT id_rt, 'found' FROM trecon_task ORDER BY id_rt;
INSERT INTO tipam_network (network, id_recon_task, vrf)
  SELECT CONCAT('10.', n, '.0.0/16'), IF(n % 2, 1 + n % 24, NULL), id FROM gen_agent
  WHERE behind < 20 ORDER BY n;
