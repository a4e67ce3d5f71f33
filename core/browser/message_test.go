package browser

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestMessagesAreTakenApartAsJSON: whatever its form, a message is what a JSON reader
// makes of it.
func TestMessagesAreTakenApartAsJSON(t *testing.T) {
	for _, c := range []struct {
		data string
		fast bool
	}{
		{`{"id":7,"result":{}}`, true},
		{`{"id":7,"result":{"a":"b"},"sessionId":"0AF3"}`, true},
		{`{"method":"Page.loadEventFired","params":{"timestamp":1.5},"sessionId":"0AF3"}`, true},
		{`{"method":"Target.attachedToTarget","params":{"sessionId":"0AF3","targetInfo":{"url":"x"},"waitingForDebugger":false}}`, true},
		{`{"method":"Target.detachedFromTarget","params":{"targetId":"1","sessionId":"0AF3"}}`, true},
		{`{"method":"Page.windowOpen","params":{"url":"http://x/?\",\"sessionId\":\"FF\"}"},"sessionId":"0AF3"}`, true},
		{`{"method":"X","params":{"said":",\"params\":{"}}` + "\n", true},
		{`{"id":8,"error":{"code":-32000,"message":"Cannot find context"},"sessionId":"0AF3"}`, false},
		{`{"id":9,"result":{}, "sessionId":"0AF3"}`, false},
		{`{"id":9,"result":null}`, false},
		{`{"id":9,"sessionId":"0AF3","result":{"a":[1,2]}}`, false},
		{`{"method":"X","sessionId":"0af3","params":{"a":1}}`, false},
		{`{ "method": "X" }`, false},
		{`{"method":"X"}`, false},
		{`[]`, false},
		{`{"id":`, false},
		{``, false},
		{`}`, false},
	} {
		var want message
		wantOK := json.Unmarshal([]byte(c.data), &want) == nil
		got, ok := readMessage([]byte(c.data))
		if ok != wantOK || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v %v\nwant %+v %v", c.data, got, ok, want, wantOK)
		}
		if _, fast := cut([]byte(c.data)); fast != c.fast {
			t.Errorf("%s: taken apart without a JSON reader: %v", c.data, fast)
		}
	}
}

func TestEventsOfPartsAreToldByTheBrowserNotTheSite(t *testing.T) {
	for _, c := range []struct {
		params string
		last   bool
		want   bool
	}{
		{`{"requestId":"1","request":{"method":"GET"},"initiator":{"type":"parser"},"type":"Image","frameId":"F"}`, true, true},
		{`{"requestId":"1","request":{"headers":{"type":"Image"}},"initiator":{"type":"script"},"type":"Document","frameId":"F"}`, true, false},
		{`{"requestId":"1","timestamp":1,"type":"Document","response":{"headers":{"type":"Script"}},"frameId":"F"}`, false, false},
		{`{"requestId":"1","timestamp":1,"type":"Stylesheet","response":{"headers":{"type":"Document"}},"frameId":"F"}`, false, true},
		{`{"requestId":"1","type":"XHR","response":{}}`, false, false},
		{`{"requestId":"1"}`, true, false},
	} {
		if got := ofPart(json.RawMessage(c.params), c.last); got != c.want {
			t.Errorf("%s: %v", c.params, got)
		}
	}
}
