<?php
// A short-lived client: one connection, one frame each way. Arguments: address, then what to do.
// Prints the reply's payload, or "no reply".
[, $address, $what] = $argv;
$payload = stream_get_contents(STDIN);

$stream = stream_socket_client($address, $code, $message, 5);
if ($stream === false) {
    fwrite(STDERR, "$message\n");
    exit(1);
}
stream_set_timeout($stream, 5);

/** fwrite writes less than asked where the socket is full. */
function write_all($stream, string $bytes): bool
{
    for ($at = 0; $at < strlen($bytes); $at += $written) {
        $written = @fwrite($stream, substr($bytes, $at));
        if ($written === false || $written === 0) {
            return false;
        }
    }
    return true;
}

/** fread returns what is there, which may be less. */
function read_all($stream, int $length): ?string
{
    for ($bytes = ''; strlen($bytes) < $length; $bytes .= $part) {
        $part = fread($stream, $length - strlen($bytes));
        if ($part === false || $part === '') {
            return null;
        }
    }
    return $bytes;
}

switch ($what) {
    case 'frame':
        write_all($stream, pack('N', strlen($payload)) . $payload);
        break;
    case 'in-pieces':
        write_all($stream, "\0\0");
        fflush($stream);
        write_all($stream, substr(pack('N', strlen($payload)), 2) . substr($payload, 0, 1));
        fflush($stream);
        write_all($stream, substr($payload, 1));
        break;
    case 'three-header-bytes':
        write_all($stream, "\0\0\0");
        break;
    case 'short-body':
        write_all($stream, pack('N', strlen($payload) + 1) . $payload);
        break;
    case 'too-large':
        write_all($stream, pack('N', 0xFFFFFFFF) . $payload);
        break;
    case 'no-reply-wanted':
        write_all($stream, pack('N', strlen($payload)) . $payload);
        fclose($stream);
        echo 'gone';
        exit(0);
}

$header = read_all($stream, 4);
$reply = $header === null ? null : read_all($stream, unpack('N', $header)[1]);
echo $reply ?? 'no reply';
// Behind the one reply comes the end.
exit(fread($stream, 1) === '' && feof($stream) ? 0 : 2);
