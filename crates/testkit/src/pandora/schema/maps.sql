-- Positions, what the console drew, and its graphs.
CREATE TABLE tgis_data_history (
  id_tgis_data int(11) NOT NULL AUTO_INCREMENT, longitude double NOT NULL,
  latitude double NOT NULL, altitude double,
  start_timestamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, end_timestamp timestamp NULL,
  description text, manual_placement tinyint(4) NOT NULL DEFAULT 0,
  number_of_packages int(11) NOT NULL DEFAULT 1, tagente_id_agente int(10) unsigned NOT NULL,
  PRIMARY KEY (id_tgis_data), KEY end_timestamp_index (end_timestamp),
  KEY start_timestamp_index (start_timestamp)
);

CREATE TABLE tgis_data_status (
  tagente_id_agente int(10) unsigned NOT NULL, current_longitude double NOT NULL,
  current_latitude double NOT NULL, current_altitude double, stored_longitude double NOT NULL,
  stored_latitude double NOT NULL, stored_altitude double,
  number_of_packages int(11) NOT NULL DEFAULT 1,
  start_timestamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  manual_placement tinyint(4) NOT NULL DEFAULT 0, description text,
  PRIMARY KEY (tagente_id_agente), KEY fk_tgisdata_tagente1 (tagente_id_agente),
  KEY start_timestamp_index (start_timestamp),
  FOREIGN KEY (tagente_id_agente) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tvisual_console_elements_cache (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, vc_id int(10) unsigned NOT NULL,
  vc_item_id int(10) unsigned NOT NULL, user_id varchar(255), `data` text,
  created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, expiration int(10) unsigned NOT NULL,
  PRIMARY KEY (id), KEY user_id (user_id), KEY vc_id (vc_id), KEY vc_item_id (vc_item_id),
  FOREIGN KEY (vc_id) REFERENCES tlayout (id) ON DELETE CASCADE,
  FOREIGN KEY (vc_item_id) REFERENCES tlayout_data (id) ON DELETE CASCADE,
  FOREIGN KEY (user_id) REFERENCES tusuario (id_user) ON DELETE CASCADE
);

CREATE TABLE tgraph (
  id_graph int(10) unsigned NOT NULL AUTO_INCREMENT, id_user varchar(255) NOT NULL DEFAULT '',
  name varchar(150) NOT NULL DEFAULT '', description text, period int(11) NOT NULL DEFAULT 0,
  width smallint(5) unsigned NOT NULL DEFAULT 0, height smallint(5) unsigned NOT NULL DEFAULT 0,
  private tinyint(3) unsigned NOT NULL DEFAULT 0, events tinyint(3) unsigned NOT NULL DEFAULT 0,
  stacked tinyint(3) unsigned NOT NULL DEFAULT 0, id_group mediumint(8) unsigned DEFAULT 0,
  id_graph_template int(11) NOT NULL DEFAULT 0, percentil tinyint(3) unsigned NOT NULL DEFAULT 0,
  summatory_series tinyint(3) unsigned NOT NULL DEFAULT 0,
  average_series tinyint(3) unsigned NOT NULL DEFAULT 0,
  modules_series tinyint(3) unsigned NOT NULL DEFAULT 0,
  fullscale tinyint(3) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id_graph)
);

CREATE TABLE tgraph_source (
  id_gs int(10) unsigned NOT NULL AUTO_INCREMENT, id_graph int(11) NOT NULL DEFAULT 0,
  id_server int(11) NOT NULL DEFAULT 0, id_agent_module int(11) NOT NULL DEFAULT 0,
  weight double NOT NULL DEFAULT 0, label varchar(150) DEFAULT '', field_order int(11) DEFAULT 0,
  PRIMARY KEY (id_gs)
);

CREATE TABLE tgis_map_layer (
  id_tmap_layer int(11) NOT NULL AUTO_INCREMENT, layer_name varchar(45) NOT NULL,
  PRIMARY KEY (id_tmap_layer)
);

CREATE TABLE tgis_map_layer_has_tagente (
  tgis_map_layer_id_tmap_layer int(11) NOT NULL, tagente_id_agente int(10) unsigned NOT NULL,
  PRIMARY KEY (tgis_map_layer_id_tmap_layer, tagente_id_agente), KEY agent (tagente_id_agente),
  FOREIGN KEY (tgis_map_layer_id_tmap_layer) REFERENCES tgis_map_layer (id_tmap_layer)
    ON DELETE CASCADE,
  FOREIGN KEY (tagente_id_agente) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tgis_map_layer_groups (
  layer_id int(11) NOT NULL, group_id mediumint(8) unsigned NOT NULL, agent_id int(10) unsigned
    NOT NULL, PRIMARY KEY (layer_id, group_id), KEY group_id (group_id), KEY agent_id (agent_id),
  FOREIGN KEY (layer_id) REFERENCES tgis_map_layer (id_tmap_layer) ON DELETE CASCADE,
  FOREIGN KEY (agent_id) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tusuario (
  id_user varchar(255) NOT NULL DEFAULT '0', fullname varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (id_user)
);

CREATE TABLE tlayout (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, name varchar(600) NOT NULL DEFAULT '',
  PRIMARY KEY (id)
);

CREATE TABLE tlayout_data (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_layout int(10) unsigned NOT NULL DEFAULT 0,
  id_agente_modulo mediumint(8) unsigned NOT NULL DEFAULT 0,
  id_agent int(10) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id),
  KEY tlayout_data_layout (id_layout)
);
