<?php
declare(strict_types=1);

// What every page needs: the session, the way to the resident process, and answers in JSON.

namespace Resident;

require __DIR__ . '/ExchangeFailure.php';
require __DIR__ . '/Exchange.php';

const TOKEN_LIFE = 3600_000; // ms

function resident(): Exchange
{
    return new Exchange(explode(',', getenv('RESIDENT_ADDRESSES') ?: 'unix:///run/resident/resident.sock'));
}

function session(): void
{
    session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Strict', 'use_strict_mode' => true]);
}

/** Who is logged in; nobody else gets further. */
function user(): string
{
    session();
    if (!isset($_SESSION['user'])) {
        answer(401, ['error' => 'log in first']);
    }
    // Other requests of the same browser need not wait for this one.
    session_write_close();
    return $_SESSION['user'];
}

/** A text field of the form. */
function field(string $name, int $longest = 200): string
{
    $value = $_POST[$name] ?? '';
    if (!is_string($value) || trim($value) === '' || strlen($value) > $longest) {
        answer(400, ['error' => "$name is missing or too long"]);
    }
    return trim($value);
}

/** @param array<string, mixed> $body */
function answer(int $status, array $body): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    exit(json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE));
}

/**
 * Asks the resident process; a failure becomes an answer a person can read.
 * @param array<string, mixed> $message
 * @return array<string, mixed>
 */
function ask(array $message): array
{
    try {
        return resident()->ask($message);
    } catch (ExchangeFailure $failure) {
        $down = in_array($failure->reason, ['UNREACHABLE', 'TIMEOUT', 'BROKEN', 'INTERNAL', 'UNAVAILABLE'], true);
        answer($down ? 503 : 422, ['error' => $failure->getMessage(), 'code' => $failure->reason]);
    }
}

function post_only(): void
{
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        header('Allow: POST');
        answer(405, ['error' => 'POST only']);
    }
}
