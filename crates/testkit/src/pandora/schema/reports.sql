-- Reports and what they show.
CREATE TABLE treport_content (
  id_rc int(10) unsigned NOT NULL AUTO_INCREMENT, id_report int(10) unsigned NOT NULL DEFAULT 0,
  id_gs int(10) unsigned, id_agent_module bigint(20) unsigned,
  `type` varchar(30) DEFAULT 'simple_graph', period int(11) NOT NULL DEFAULT 0,
  period_range int(11) DEFAULT 0, `order` int(11) NOT NULL DEFAULT 0, name varchar(300),
  description mediumtext, id_agent int(10) unsigned NOT NULL DEFAULT 0, `text` text,
  external_source mediumtext, treport_custom_sql_id int(10) unsigned DEFAULT 0,
  header_definition tinytext, column_separator tinytext, line_separator tinytext,
  time_from time DEFAULT '00:00:00', time_to time DEFAULT '00:00:00', monday tinyint(4) DEFAULT 1,
  tuesday tinyint(4) DEFAULT 1, wednesday tinyint(4) DEFAULT 1, thursday tinyint(4) DEFAULT 1,
  friday tinyint(4) DEFAULT 1, saturday tinyint(4) DEFAULT 1, sunday tinyint(4) DEFAULT 1,
  only_display_wrong tinyint(3) unsigned NOT NULL DEFAULT 0, top_n int(11) NOT NULL DEFAULT 0,
  top_n_value int(11) NOT NULL DEFAULT 10, exception_condition int(11) NOT NULL DEFAULT 0,
  exception_condition_value double NOT NULL DEFAULT 0, show_resume int(11) NOT NULL DEFAULT 0,
  order_uptodown int(11) NOT NULL DEFAULT 0, show_graph int(11) NOT NULL DEFAULT 0,
  group_by_agent int(11) NOT NULL DEFAULT 0, style text,
  id_group int(10) unsigned NOT NULL DEFAULT 0,
  id_module_group int(10) unsigned NOT NULL DEFAULT 0, server_name text,
  historical_db tinyint(3) unsigned NOT NULL DEFAULT 0,
  lapse_calc tinyint(3) unsigned NOT NULL DEFAULT 0, lapse int(10) unsigned NOT NULL DEFAULT 300,
  visual_format tinyint(3) unsigned NOT NULL DEFAULT 0, hide_no_data tinyint(4) DEFAULT 0,
  recursion tinyint(4), show_extended_events tinyint(4) DEFAULT 0, total_time tinyint(4) DEFAULT 1,
  time_failed tinyint(4) DEFAULT 1, time_in_ok_status tinyint(4) DEFAULT 1,
  time_in_warning_status tinyint(4) DEFAULT 0, time_in_unknown_status tinyint(4) DEFAULT 1,
  time_of_not_initialized_module tinyint(4) DEFAULT 1, time_of_downtime tinyint(4) DEFAULT 1,
  total_checks tinyint(4) DEFAULT 1, checks_failed tinyint(4) DEFAULT 1,
  checks_in_ok_status tinyint(4) DEFAULT 1, checks_in_warning_status tinyint(4) DEFAULT 0,
  unknown_checks tinyint(4) DEFAULT 1, agent_max_value tinyint(4) DEFAULT 1,
  agent_min_value tinyint(4) DEFAULT 1, current_month tinyint(4) DEFAULT 1,
  failover_mode tinyint(4) DEFAULT 1, failover_type tinyint(4) DEFAULT 1,
  uncompressed_module tinyint(4) DEFAULT 0, summary tinyint(4) DEFAULT 0,
  landscape tinyint(3) unsigned NOT NULL DEFAULT 0,
  pagebreak tinyint(3) unsigned NOT NULL DEFAULT 0,
  compare_work_time tinyint(3) unsigned NOT NULL DEFAULT 0,
  graph_render tinyint(3) unsigned NOT NULL DEFAULT 0,
  ipam_network_filter int(10) unsigned DEFAULT 0,
  ipam_alive_ips tinyint(3) unsigned NOT NULL DEFAULT 0,
  ipam_ip_not_assigned_to_agent tinyint(3) unsigned NOT NULL DEFAULT 0, macros_definition text,
  render_definition text, use_prefix_notation tinyint(3) unsigned NOT NULL DEFAULT 1,
  cat_security_hardening int(11) NOT NULL DEFAULT 0, ignore_skipped int(11) NOT NULL DEFAULT 0,
  status_of_check tinytext, ncm_agents mediumtext, check_unknowns_graph tinyint(4) DEFAULT 0,
  PRIMARY KEY (id_rc), KEY id_report (id_report),
  FOREIGN KEY (id_report) REFERENCES treport (id_report) ON DELETE CASCADE
);

CREATE TABLE treport_content_item (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_report_content int(10) unsigned NOT NULL,
  id_agent_module int(10) unsigned NOT NULL,
  id_agent_module_failover int(10) unsigned NOT NULL DEFAULT 0, server_name text, operation text,
  PRIMARY KEY (id), KEY id_report_content (id_report_content),
  FOREIGN KEY (id_report_content) REFERENCES treport_content (id_rc) ON DELETE CASCADE
);

CREATE TABLE treport_content_sla_combined (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_report_content int(10) unsigned NOT NULL,
  id_agent_module int(10) unsigned NOT NULL, id_agent_module_failover int(10) unsigned NOT NULL,
  sla_max double NOT NULL DEFAULT 0, sla_min double NOT NULL DEFAULT 0,
  sla_limit double NOT NULL DEFAULT 0, server_name text, PRIMARY KEY (id),
  KEY id_report_content (id_report_content),
  FOREIGN KEY (id_report_content) REFERENCES treport_content (id_rc) ON DELETE CASCADE
);

CREATE TABLE treport (
  id_report int(10) unsigned NOT NULL AUTO_INCREMENT, name varchar(150) NOT NULL DEFAULT '',
  PRIMARY KEY (id_report)
);
