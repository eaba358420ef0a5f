<?php
declare(strict_types=1);

namespace Resident;

/** The resident process could not be asked, or said no. `reason` is its code, or one of UNREACHABLE, TIMEOUT, BROKEN. */
final class ExchangeFailure extends \RuntimeException
{
    public function __construct(public readonly string $reason, string $message)
    {
        parent::__construct($message);
    }
}
