<?php
/** The name of the database for WordPress */
define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'wp' );
/** MySQL database password */
define( 'DB_PASSWORD', 'kX9!mmm' );
define( 'DB_HOST', 'localhost' );
define( 'DB_CHARSET', 'utf8mb4' );

define('AUTH_KEY',         't`DK%X:>xy|e-Z(BXb/f(Ur`8#~UzUQG-^_Cs_GHs5U-&Wb?pgn^p8(2@}IcnCa|');
define('SECURE_AUTH_KEY',  'D&ovlU#|CvJ##uNq}bel+^MFtT&.b9{UvR]g%ixsXhGlRJ7q!h}XWdEC[BOKXssj');
define('LOGGED_IN_KEY',    'MGKi8Br(&{H*~&0s;{k0<S(O:+f#WM+q|npJ-+P;RDKT:~jrmgj#/-,[hOBk!ry^');
define('NONCE_SALT',       'FIsAsXJKL5ZlQo)iD-pt??eUbdc{_Cn<4!d~yqz))&B D?AwK%)+)F2aNwI|siOe');

$table_prefix = 'wp_';
define( 'WP_DEBUG', false );
$config['smtp']['password'] = "Sm7p-Pass";
$options = array(
    'host'     => 'smtp.example.com',
    'username' => 'mailer',
    'password' => 'an0ther one',
    'timeout'  => 30,
    'key'      => 'name',
);
$password = $_POST['password'];
$token = bin2hex(random_bytes(16));
$key = $row['key'];
if ($password === null) { die('Password required'); }
require_once ABSPATH . 'wp-settings.php';
