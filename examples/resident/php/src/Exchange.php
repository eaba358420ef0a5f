<?php
declare(strict_types=1);

namespace Resident;

/**
 * One connection, one message each way: a 4-byte big-endian length, then that many bytes, both ways.
 * Every step has a time limit in seconds; none of them can be stretched by bytes that drip in.
 */
final class Exchange
{
    private const EAGAIN = 11; // Linux; the constant of ext-sockets is not everywhere
    private const PAUSE = 2_000; // microseconds between two tries to connect

    /** @param list<string> $addresses `unix:///path` or `tcp://host:port`; the next is tried when one is down */
    public function __construct(
        private readonly array $addresses,
        private readonly float $connectLimit = 0.5,
        private readonly float $writeLimit = 1.0,
        private readonly float $readLimit = 3.0,
        private readonly int $maxReply = 1 << 20,
    ) {
    }

    /**
     * Sends a message and returns the reply.
     * @param array<string, mixed> $message
     * @return array<string, mixed>
     * @throws ExchangeFailure also when the reply is a refusal
     */
    public function ask(array $message): array
    {
        $reply = json_decode($this->exchange(self::encode($message)), true);
        if (!is_array($reply)) {
            throw new ExchangeFailure('BROKEN', 'the reply is not JSON');
        }
        if (($reply['res'] ?? null) !== 'ok') {
            throw new ExchangeFailure($reply['code'] ?? 'REFUSED', $reply['msg'] ?? 'refused');
        }
        return $reply;
    }

    /**
     * Sends a message and does not wait for what is said to it.
     * @param array<string, mixed> $message
     */
    public function tell(array $message): void
    {
        $stream = $this->connect();
        $body = self::encode($message);
        $this->write($stream, pack('N', strlen($body)) . $body);
        fclose($stream);
    }

    /** One frame there, one frame back. */
    public function exchange(string $body): string
    {
        return $this->raw(pack('N', strlen($body)) . $body);
    }

    /** Sends these bytes as they are, and reads one frame. */
    public function raw(string $bytes): string
    {
        $stream = $this->connect();
        try {
            $unsent = $this->write($stream, $bytes);
            $until = microtime(true) + $this->readLimit;
            // Refused before everything was sent: the reply says why.
            $length = unpack('N', $this->read($stream, 4, $until))[1];
            if ($length > $this->maxReply) {
                throw new ExchangeFailure('BROKEN', "a reply of $length bytes is announced");
            }
            return $this->read($stream, $length, $until);
        } catch (ExchangeFailure $failure) {
            throw ($unsent ?? 0) > 0
                ? new ExchangeFailure('BROKEN', "the connection was lost with $unsent bytes not sent")
                : $failure;
        } finally {
            fclose($stream);
        }
    }

    /** @param array<string, mixed> $message */
    private static function encode(array $message): string
    {
        return json_encode($message, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
    }

    /** @return resource */
    private function connect()
    {
        $until = microtime(true) + $this->connectLimit;
        do {
            $full = false;
            foreach ($this->addresses as $address) {
                $left = max(0.001, $until - microtime(true));
                $stream = @stream_socket_client($address, $code, $message, $left);
                if ($stream !== false) {
                    stream_set_blocking($stream, false);
                    stream_set_read_buffer($stream, 0);
                    return $stream;
                }
                // The backlog of a unix socket is full: the process is there, and will be round in a moment.
                $full = $full || $code === self::EAGAIN;
            }
            if ($full) {
                usleep(self::PAUSE);
            }
        } while ($full && microtime(true) < $until);
        throw new ExchangeFailure('UNREACHABLE', 'the resident process does not answer: ' . $message);
    }

    /**
     * @param resource $stream
     * @return int bytes that could not be sent because the other side had closed
     */
    private function write($stream, string $bytes): int
    {
        $until = microtime(true) + $this->writeLimit;
        while ($bytes !== '') {
            $this->await($stream, $until, false);
            $written = @fwrite($stream, $bytes);
            if ($written === false) {
                return strlen($bytes);
            }
            $bytes = substr($bytes, $written);
        }
        return 0;
    }

    /** @param resource $stream */
    private function read($stream, int $length, float $until): string
    {
        $bytes = '';
        while (strlen($bytes) < $length) {
            $this->await($stream, $until, true);
            $piece = fread($stream, $length - strlen($bytes));
            if ($piece === false || ($piece === '' && feof($stream))) {
                throw new ExchangeFailure('BROKEN', 'the connection was closed before the reply was whole');
            }
            $bytes .= $piece;
        }
        return $bytes;
    }

    /** @param resource $stream */
    private function await($stream, float $until, bool $forReading): void
    {
        $left = $until - microtime(true);
        $read = $forReading ? [$stream] : null;
        $write = $forReading ? null : [$stream];
        $except = null;
        if ($left <= 0 || stream_select($read, $write, $except, (int) $left, (int) (fmod($left, 1) * 1e6)) === 0) {
            throw new ExchangeFailure('TIMEOUT', 'the resident process did not ' . ($forReading ? 'answer' : 'read') . ' in time');
        }
    }
}
