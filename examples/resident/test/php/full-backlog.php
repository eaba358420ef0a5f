<?php
// A server whose backlog is full: it accepts nobody until a line comes in, then answers everybody. Prints "full" first.
declare(strict_types=1);

$backlog = stream_context_create(['socket' => ['backlog' => 1]]);
$server = stream_socket_server("unix://{$argv[1]}", $code, $message, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $backlog);
$waiting = [];
while ($client = @stream_socket_client("unix://{$argv[1]}", $code, $message, 0.05)) {
    $waiting[] = $client;
}
echo "full\n";
fgets(STDIN);
while ($client = @stream_socket_accept($server, 2)) {
    // Those that filled the backlog say nothing.
    stream_set_timeout($client, 0, 50_000);
    $header = fread($client, 4);
    if (strlen((string) $header) === 4) {
        fread($client, unpack('N', $header)[1]);
        fwrite($client, pack('N', 12) . '{"res":"ok"}');
        fclose($client);
        exit;
    }
}
