-- Agents, their modules, and the modules' states.
CREATE TABLE tagente (
  id_agente int(10) unsigned NOT NULL AUTO_INCREMENT, nombre varchar(600) NOT NULL DEFAULT '',
  direccion varchar(100), comentarios varchar(255) DEFAULT '',
  id_grupo int(10) unsigned NOT NULL DEFAULT 0,
  ultimo_contacto datetime NOT NULL DEFAULT '1970-01-01 00:00:00',
  modo tinyint(4) NOT NULL DEFAULT 0, intervalo int(10) unsigned NOT NULL DEFAULT 300,
  id_os int(10) unsigned DEFAULT 0, os_version varchar(100) DEFAULT '',
  agent_version varchar(100) DEFAULT '',
  ultimo_contacto_remoto datetime DEFAULT '1970-01-01 00:00:00',
  disabled tinyint(4) NOT NULL DEFAULT 0, remote tinyint(4) NOT NULL DEFAULT 0,
  id_parent int(10) unsigned DEFAULT 0, custom_id varchar(255) DEFAULT '',
  server_name varchar(100) DEFAULT '', cascade_protection tinyint(4) NOT NULL DEFAULT 0,
  cascade_protection_module int(10) unsigned NOT NULL DEFAULT 0,
  timezone_offset tinyint(4) DEFAULT 0, icon_path varchar(127),
  update_gis_data tinyint(4) NOT NULL DEFAULT 1, url_address mediumtext,
  quiet tinyint(4) NOT NULL DEFAULT 0, normal_count bigint(20) NOT NULL DEFAULT 0,
  warning_count bigint(20) NOT NULL DEFAULT 0, critical_count bigint(20) NOT NULL DEFAULT 0,
  unknown_count bigint(20) NOT NULL DEFAULT 0, notinit_count bigint(20) NOT NULL DEFAULT 0,
  total_count bigint(20) NOT NULL DEFAULT 0, fired_count bigint(20) NOT NULL DEFAULT 0,
  update_module_count tinyint(4) NOT NULL DEFAULT 0,
  update_alert_count tinyint(4) NOT NULL DEFAULT 0,
  update_secondary_groups tinyint(4) NOT NULL DEFAULT 0, alias varchar(600) NOT NULL DEFAULT '',
  alias_as_name tinyint(4) NOT NULL DEFAULT 0,
  safe_mode_module int(10) unsigned NOT NULL DEFAULT 0, cps int(11) NOT NULL DEFAULT 0,
  satellite_server int(11) NOT NULL DEFAULT 0, fixed_ip tinyint(4) NOT NULL DEFAULT 0,
  disabled_by_downtime tinyint(4) NOT NULL DEFAULT 0,
  vul_scan_enabled tinyint(4) NOT NULL DEFAULT 2, ignore_unknown tinyint(4) NOT NULL DEFAULT 0,
  PRIMARY KEY (id_agente), KEY direccion (direccion), KEY disabled (disabled),
  KEY id_grupo (id_grupo), KEY nombre (nombre(255))
);

CREATE TABLE tagente_modulo (
  id_agente_modulo int(10) unsigned NOT NULL AUTO_INCREMENT,
  id_agente int(10) unsigned NOT NULL DEFAULT 0, id_tipo_modulo smallint(6) NOT NULL DEFAULT 0,
  descripcion text, extended_info text, nombre text, unit text,
  id_policy_module int(10) unsigned NOT NULL DEFAULT 0, `max` bigint(20) DEFAULT 0,
  `min` bigint(20) DEFAULT 0, module_interval int(10) unsigned DEFAULT 0,
  cron_interval varchar(100) DEFAULT '', module_ff_interval int(10) unsigned DEFAULT 0,
  tcp_port int(10) unsigned DEFAULT 0, tcp_send text, tcp_rcv text,
  snmp_community varchar(100) DEFAULT '', snmp_oid varchar(255) DEFAULT '0',
  ip_target varchar(100) DEFAULT '', id_module_group int(10) unsigned DEFAULT 0,
  flag tinyint(3) unsigned DEFAULT 1, id_modulo int(10) unsigned DEFAULT 0,
  disabled tinyint(3) unsigned NOT NULL DEFAULT 0,
  disabled_by_safe_mode tinyint(3) unsigned NOT NULL DEFAULT 0,
  id_export smallint(5) unsigned DEFAULT 0, plugin_user text, plugin_pass text,
  plugin_parameter text, id_plugin int(11) DEFAULT 0, post_process double DEFAULT 0,
  prediction_module bigint(20) DEFAULT 0, max_timeout int(10) unsigned DEFAULT 0,
  max_retries int(10) unsigned DEFAULT 0, custom_id varchar(255) DEFAULT '',
  history_data tinyint(3) unsigned DEFAULT 1, min_warning double DEFAULT 0,
  max_warning double DEFAULT 0, str_warning text, min_critical double DEFAULT 0,
  max_critical double DEFAULT 0, str_critical text, min_ff_event int(10) unsigned DEFAULT 0,
  delete_pending int(10) unsigned DEFAULT 0, policy_linked tinyint(3) unsigned NOT NULL DEFAULT 0,
  policy_adopted tinyint(3) unsigned NOT NULL DEFAULT 0, custom_string_1 mediumtext,
  custom_string_2 text, custom_string_3 text, custom_integer_1 int(11) DEFAULT 0,
  custom_integer_2 int(11) DEFAULT 0,
  wizard_level enum('basic','advanced','nowizard') DEFAULT 'nowizard', macros text,
  critical_instructions text, warning_instructions text, unknown_instructions text,
  quiet tinyint(4) NOT NULL DEFAULT 0, critical_inverse tinyint(3) unsigned DEFAULT 0,
  warning_inverse tinyint(3) unsigned DEFAULT 0, id_category int(11) DEFAULT 0,
  disabled_types_event text, module_macros text, min_ff_event_normal int(10) unsigned DEFAULT 0,
  min_ff_event_warning int(10) unsigned DEFAULT 0,
  min_ff_event_critical int(10) unsigned DEFAULT 0, ff_type tinyint(3) unsigned DEFAULT 0,
  each_ff tinyint(3) unsigned DEFAULT 0, ff_timeout int(10) unsigned DEFAULT 0,
  dynamic_interval int(10) unsigned DEFAULT 0, dynamic_max int(11) DEFAULT 0,
  dynamic_min int(11) DEFAULT 0, dynamic_next bigint(20) NOT NULL DEFAULT 0,
  dynamic_two_tailed tinyint(3) unsigned DEFAULT 0, prediction_sample_window int(11) DEFAULT 0,
  prediction_samples int(11) DEFAULT 0, prediction_threshold int(11) DEFAULT 0,
  parent_module_id int(10) unsigned NOT NULL DEFAULT 0, cps int(11) NOT NULL DEFAULT 0,
  debug_content text, percentage_critical tinyint(3) unsigned DEFAULT 0,
  percentage_warning tinyint(3) unsigned DEFAULT 0, warning_time int(10) unsigned DEFAULT 0,
  quiet_by_downtime tinyint(4) NOT NULL DEFAULT 0,
  disabled_by_downtime tinyint(4) NOT NULL DEFAULT 0,
  last_compact timestamp NOT NULL DEFAULT '0000-00-00 00:00:00',
  made_enabled tinyint(3) unsigned DEFAULT 0, ignore_unknown tinyint(4) NOT NULL DEFAULT 0,
  PRIMARY KEY (id_agente_modulo), KEY disabled (disabled), KEY id_tipo_modulo (id_tipo_modulo),
  KEY main_idx (id_agente_modulo, id_agente), KEY `module` (id_modulo),
  KEY module_group (id_module_group), KEY nombre (nombre(255)), KEY tam_agente (id_agente)
);

CREATE TABLE tagente_estado (
  id_agente_estado int(10) unsigned NOT NULL AUTO_INCREMENT,
  id_agente_modulo int(11) NOT NULL DEFAULT 0, datos mediumtext,
  `timestamp` datetime NOT NULL DEFAULT '1970-01-01 00:00:00', estado int(11) NOT NULL DEFAULT 0,
  known_status tinyint(4) DEFAULT 0, id_agente int(11) NOT NULL DEFAULT 0, last_try datetime,
  utimestamp bigint(20) NOT NULL DEFAULT 0, current_interval int(10) unsigned NOT NULL DEFAULT 0,
  running_by smallint(5) unsigned DEFAULT 0, last_execution_try bigint(20) NOT NULL DEFAULT 0,
  status_changes tinyint(3) unsigned DEFAULT 0, last_status tinyint(4) DEFAULT 0,
  last_known_status tinyint(4) DEFAULT 0, last_error int(11) NOT NULL DEFAULT 0,
  ff_start_utimestamp bigint(20) DEFAULT 0, ff_normal int(10) unsigned DEFAULT 0,
  ff_warning int(10) unsigned DEFAULT 0, ff_critical int(10) unsigned DEFAULT 0,
  last_dynamic_update bigint(20) NOT NULL DEFAULT 0,
  last_unknown_update bigint(20) NOT NULL DEFAULT 0,
  last_status_change bigint(20) NOT NULL DEFAULT 0, warning_count int(10) unsigned DEFAULT 0,
  PRIMARY KEY (id_agente_estado), KEY idx_agente (id_agente), KEY running_by (running_by),
  KEY status_index_1 (id_agente_modulo)
);

CREATE TABLE ttipo_modulo (
  id_tipo smallint(6) NOT NULL, nombre varchar(100) NOT NULL DEFAULT '',
  categoria int(11) NOT NULL DEFAULT 0, PRIMARY KEY (id_tipo)
);

CREATE TABLE tgrupo (
  id_grupo mediumint(8) unsigned NOT NULL AUTO_INCREMENT, nombre varchar(100) NOT NULL DEFAULT '',
  PRIMARY KEY (id_grupo)
);

CREATE TABLE taddress (
  id_a int(10) unsigned NOT NULL AUTO_INCREMENT, ip varchar(60) NOT NULL DEFAULT '',
  PRIMARY KEY (id_a), KEY ip (ip)
);

CREATE TABLE taddress_agent (
  id_ag bigint(20) unsigned NOT NULL AUTO_INCREMENT, id_a bigint(20) unsigned NOT NULL DEFAULT 0,
  id_agent mediumint(8) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id_ag),
  KEY taddress_agent_agent (id_agent)
);

CREATE TABLE ttag_module (
  id_tag int(10) NOT NULL, id_agente_modulo int(10) NOT NULL DEFAULT 0,
  id_policy_module int(10) NOT NULL DEFAULT 0, PRIMARY KEY (id_tag, id_agente_modulo),
  KEY idx_id_agente_modulo (id_agente_modulo)
);

CREATE TABLE tmodule_synth (
  id int(10) unsigned NOT NULL AUTO_INCREMENT,
  id_agent_module_source int(10) unsigned NOT NULL DEFAULT 0,
  id_agent_module_target int(10) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id),
  KEY id_agent_module_target (id_agent_module_target),
  FOREIGN KEY (id_agent_module_target) REFERENCES tagente_modulo (id_agente_modulo)
    ON DELETE CASCADE
);

CREATE TABLE tmodule_relationship (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_rt int(10) unsigned,
  module_a int(10) unsigned NOT NULL, module_b int(10) unsigned NOT NULL, PRIMARY KEY (id),
  KEY module_a (module_a), KEY module_b (module_b), KEY id_rt (id_rt),
  FOREIGN KEY (module_a) REFERENCES tagente_modulo (id_agente_modulo) ON DELETE CASCADE,
  FOREIGN KEY (module_b) REFERENCES tagente_modulo (id_agente_modulo) ON DELETE CASCADE,
  FOREIGN KEY (id_rt) REFERENCES trecon_task (id_rt) ON DELETE CASCADE
);

CREATE TABLE tmodule_inventory (
  id_module_inventory int(11) NOT NULL AUTO_INCREMENT, name text, PRIMARY KEY (id_module_inventory)
);

CREATE TABLE tagent_module_inventory (
  id_agent_module_inventory int(11) NOT NULL AUTO_INCREMENT, id_agente int(10) unsigned NOT NULL,
  id_module_inventory int(11) NOT NULL, utimestamp bigint(20) DEFAULT 0,
  PRIMARY KEY (id_agent_module_inventory), KEY id_agente (id_agente),
  KEY id_module_inventory (id_module_inventory),
  FOREIGN KEY (id_agente) REFERENCES tagente (id_agente) ON DELETE CASCADE,
  FOREIGN KEY (id_module_inventory) REFERENCES tmodule_inventory (id_module_inventory)
    ON DELETE CASCADE
);

CREATE TABLE tagent_custom_data (
  id_field int(10) unsigned NOT NULL, id_agent int(10) unsigned NOT NULL, description text,
  PRIMARY KEY (id_field, id_agent), KEY id_agent (id_agent),
  FOREIGN KEY (id_agent) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tagent_secondary_group (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_agent int(10) unsigned NOT NULL,
  id_group mediumint(8) unsigned NOT NULL, PRIMARY KEY (id), KEY id_agent (id_agent),
  KEY id_group (id_group),
  FOREIGN KEY (id_agent) REFERENCES tagente (id_agente) ON DELETE CASCADE,
  FOREIGN KEY (id_group) REFERENCES tgrupo (id_grupo) ON DELETE CASCADE
);
