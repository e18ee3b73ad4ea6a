-- Configuration, servers, downtimes, messages, discovery.
CREATE TABLE tplanned_downtime (
  id mediumint(9) NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL, description text,
  date_from bigint(20) NOT NULL DEFAULT 0, date_to bigint(20) NOT NULL DEFAULT 0,
  executed tinyint(3) unsigned NOT NULL DEFAULT 0, id_group mediumint(8) unsigned DEFAULT 0,
  only_alerts tinyint(3) unsigned NOT NULL DEFAULT 0, monday tinyint(4) DEFAULT 0,
  tuesday tinyint(4) DEFAULT 0, wednesday tinyint(4) DEFAULT 0, thursday tinyint(4) DEFAULT 0,
  friday tinyint(4) DEFAULT 0, saturday tinyint(4) DEFAULT 0, sunday tinyint(4) DEFAULT 0,
  periodically_time_from time, periodically_time_to time, periodically_day_from int(10) unsigned,
  periodically_day_to int(10) unsigned,
  type_downtime varchar(100) NOT NULL DEFAULT 'disabled_agents_alerts',
  type_execution varchar(100) NOT NULL DEFAULT 'once',
  type_periodicity varchar(100) NOT NULL DEFAULT 'weekly',
  id_user varchar(255) NOT NULL DEFAULT '0', cron_interval_from varchar(100) DEFAULT '',
  cron_interval_to varchar(100) DEFAULT '', PRIMARY KEY (id)
);

CREATE TABLE tmensajes (
  id_mensaje int(10) unsigned NOT NULL AUTO_INCREMENT,
  id_usuario_origen varchar(255) NOT NULL DEFAULT '', mensaje text,
  `timestamp` bigint(20) unsigned NOT NULL DEFAULT 0, subject varchar(255) NOT NULL DEFAULT '',
  estado int(10) unsigned NOT NULL DEFAULT 0, url text, icon_notification varchar(250),
  response_mode varchar(200), citicity int(10) unsigned DEFAULT 0,
  id_source bigint(20) unsigned NOT NULL, subtype varchar(255) DEFAULT '',
  hidden_sent tinyint(3) unsigned DEFAULT 0, PRIMARY KEY (id_mensaje),
  UNIQUE KEY id_mensaje (id_mensaje), KEY tsource_fk (id_source),
  FOREIGN KEY (id_source) REFERENCES tnotification_source (id) ON DELETE CASCADE
);

CREATE TABLE tgroup_stat (
  id_group int(10) unsigned NOT NULL DEFAULT 0, modules int(10) unsigned NOT NULL DEFAULT 0,
  normal int(10) unsigned NOT NULL DEFAULT 0, critical int(10) unsigned NOT NULL DEFAULT 0,
  warning int(10) unsigned NOT NULL DEFAULT 0, unknown int(10) unsigned NOT NULL DEFAULT 0,
  `non-init` int(10) unsigned NOT NULL DEFAULT 0, alerts int(10) unsigned NOT NULL DEFAULT 0,
  alerts_fired int(10) unsigned NOT NULL DEFAULT 0, agents int(10) unsigned NOT NULL DEFAULT 0,
  agents_unknown int(10) unsigned NOT NULL DEFAULT 0,
  utimestamp int(10) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id_group)
);

CREATE TABLE tconfig (
  id_config int(10) unsigned NOT NULL AUTO_INCREMENT, token varchar(100) NOT NULL DEFAULT '',
  value text, PRIMARY KEY (id_config)
);

CREATE TABLE tserver (
  id_server int(10) unsigned NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL DEFAULT '',
  ip_address varchar(100) NOT NULL DEFAULT '', `status` int(11) NOT NULL DEFAULT 0,
  laststart datetime NOT NULL DEFAULT '1970-01-01 00:00:00',
  keepalive datetime NOT NULL DEFAULT '1970-01-01 00:00:00',
  snmp_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  network_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  data_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  master tinyint(3) unsigned NOT NULL DEFAULT 0, checksum tinyint(3) unsigned NOT NULL DEFAULT 0,
  description varchar(255), recon_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  version varchar(25) NOT NULL DEFAULT '', plugin_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  prediction_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  wmi_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  export_server tinyint(3) unsigned NOT NULL DEFAULT 0,
  server_type tinyint(3) unsigned NOT NULL DEFAULT 0,
  queued_modules int(10) unsigned NOT NULL DEFAULT 0, threads int(10) unsigned NOT NULL DEFAULT 0,
  lag_time int(11) NOT NULL DEFAULT 0, lag_modules int(11) NOT NULL DEFAULT 0,
  total_modules_running int(11) NOT NULL DEFAULT 0, my_modules int(11) NOT NULL DEFAULT 0,
  server_keepalive int(11) NOT NULL DEFAULT 0, stat_utimestamp bigint(20) NOT NULL DEFAULT 0,
  exec_proxy tinyint(3) unsigned NOT NULL DEFAULT 0, port int(10) unsigned NOT NULL DEFAULT 0,
  server_keepalive_utimestamp bigint(20) NOT NULL DEFAULT 0,
  disabled tinyint(1) NOT NULL DEFAULT 0, PRIMARY KEY (id_server), KEY name (name)
);

CREATE TABLE trecon_task (
  id_rt int(10) unsigned NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL DEFAULT '',
  description varchar(250) NOT NULL DEFAULT '', subnet text, id_network_profile text,
  review_mode tinyint(3) unsigned NOT NULL DEFAULT 1, id_group int(10) unsigned NOT NULL DEFAULT 1,
  utimestamp bigint(20) unsigned NOT NULL DEFAULT 0, `status` tinyint(4) NOT NULL DEFAULT 0,
  interval_sweep int(10) unsigned NOT NULL DEFAULT 0,
  id_recon_server int(10) unsigned NOT NULL DEFAULT 0, id_os tinyint(4) NOT NULL DEFAULT 0,
  recon_ports varchar(250) NOT NULL DEFAULT '',
  snmp_community varchar(64) NOT NULL DEFAULT 'public', id_recon_script int(11), field1 text,
  field2 varchar(250) NOT NULL DEFAULT '', field3 varchar(250) NOT NULL DEFAULT '',
  field4 varchar(250) NOT NULL DEFAULT '', os_detect tinyint(3) unsigned DEFAULT 0,
  resolve_names tinyint(3) unsigned DEFAULT 0, parent_detection tinyint(3) unsigned DEFAULT 0,
  parent_recursion tinyint(3) unsigned DEFAULT 0, disabled tinyint(3) unsigned NOT NULL DEFAULT 0,
  macros text, alias_as_name tinyint(4) NOT NULL DEFAULT 0,
  snmp_enabled tinyint(3) unsigned DEFAULT 0, vlan_enabled tinyint(3) unsigned DEFAULT 0,
  snmp_version varchar(5) NOT NULL DEFAULT '1', snmp_auth_user varchar(255) NOT NULL DEFAULT '',
  snmp_auth_pass varchar(255) NOT NULL DEFAULT '',
  snmp_auth_method varchar(25) NOT NULL DEFAULT '',
  snmp_privacy_method varchar(25) NOT NULL DEFAULT '',
  snmp_privacy_pass varchar(255) NOT NULL DEFAULT '',
  snmp_security_level varchar(25) NOT NULL DEFAULT '', wmi_enabled tinyint(3) unsigned DEFAULT 0,
  rcmd_enabled tinyint(3) unsigned DEFAULT 0, auth_strings text,
  auto_monitor tinyint(3) unsigned DEFAULT 1,
  autoconfiguration_enabled tinyint(3) unsigned DEFAULT 0, summary text,
  `type` int(11) NOT NULL DEFAULT 0, subnet_csv tinyint(3) unsigned DEFAULT 0,
  snmp_skip_non_enabled_ifs tinyint(3) unsigned DEFAULT 1, id_app int(10),
  setup_complete tinyint(3) unsigned NOT NULL DEFAULT 0,
  executions_timeout int(10) unsigned NOT NULL DEFAULT 60, PRIMARY KEY (id_rt),
  KEY id_app (id_app), KEY recon_task_daemon (id_recon_server),
  FOREIGN KEY (id_app) REFERENCES tdiscovery_apps (id_app) ON DELETE CASCADE
);

CREATE TABLE tplanned_downtime_agents (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_agent mediumint(8) unsigned NOT NULL DEFAULT 0,
  id_downtime mediumint(9) NOT NULL DEFAULT 0, PRIMARY KEY (id), KEY id_downtime (id_downtime),
  FOREIGN KEY (id_downtime) REFERENCES tplanned_downtime (id) ON DELETE CASCADE
);

CREATE TABLE tplanned_downtime_modules (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_agent mediumint(8) unsigned NOT NULL DEFAULT 0,
  id_agent_module int(10), id_downtime mediumint(9) NOT NULL DEFAULT 0, PRIMARY KEY (id),
  KEY id_downtime (id_downtime),
  FOREIGN KEY (id_downtime) REFERENCES tplanned_downtime (id) ON DELETE CASCADE
);

CREATE TABLE tnotification_source (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT, description varchar(255), PRIMARY KEY (id)
);

CREATE TABLE tnotification_user (
  id_mensaje int(10) unsigned NOT NULL, id_user varchar(255) NOT NULL, utimestamp_read bigint(20),
  PRIMARY KEY (id_mensaje, id_user), KEY id_user (id_user),
  FOREIGN KEY (id_mensaje) REFERENCES tmensajes (id_mensaje) ON DELETE CASCADE,
  FOREIGN KEY (id_user) REFERENCES tusuario (id_user) ON DELETE CASCADE
);

CREATE TABLE tnotification_group (
  id_mensaje int(10) unsigned NOT NULL, id_group mediumint(8) unsigned NOT NULL,
  PRIMARY KEY (id_mensaje, id_group), KEY id_group (id_group),
  FOREIGN KEY (id_mensaje) REFERENCES tmensajes (id_mensaje) ON DELETE CASCADE
);

CREATE TABLE tdiscovery_apps (
  id_app int(10) NOT NULL AUTO_INCREMENT, short_name varchar(250) NOT NULL DEFAULT '',
  PRIMARY KEY (id_app)
);

CREATE TABLE tdiscovery_apps_tasks_macros (
  id_task int(10) unsigned NOT NULL, macro varchar(250) NOT NULL, value text,
  PRIMARY KEY (id_task, macro),
  FOREIGN KEY (id_task) REFERENCES trecon_task (id_rt) ON DELETE CASCADE
);

CREATE TABLE tdiscovery_tmp_agents (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_rt int(10) unsigned NOT NULL, label varchar(600)
    NOT NULL DEFAULT '', PRIMARY KEY (id), KEY id_rt (id_rt), KEY label (label(255)),
  FOREIGN KEY (id_rt) REFERENCES trecon_task (id_rt) ON DELETE CASCADE
);

CREATE TABLE tipam_network (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT, network varchar(100) NOT NULL DEFAULT '',
  id_recon_task int(10) unsigned, vrf int(10) unsigned, PRIMARY KEY (id),
  KEY id_recon_task (id_recon_task), KEY vrf (vrf),
  FOREIGN KEY (id_recon_task) REFERENCES trecon_task (id_rt) ON DELETE CASCADE,
  FOREIGN KEY (vrf) REFERENCES tagente (id_agente) ON DELETE SET NULL
);
