<?php
// A service in PHP: answers with the headers as PHP names them, where Remote-User, Remote_User and Remote.User are one.
$told = array_filter($_SERVER, fn ($name) => str_starts_with($name, 'HTTP_'), ARRAY_FILTER_USE_KEY);
header('Content-Type: application/json');
echo json_encode($told, JSON_INVALID_UTF8_SUBSTITUTE | JSON_FORCE_OBJECT);
